package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollbackbot/internal/realhost"
	"rollbackbot/internal/sshtest"
)

const (
	// observedHosts is what the bar is for.
	observedHosts = 20
	// observeBar is how much of one core looking at them each minute may take.
	observeBar = 0.01
	// looksTime is how long a bot is watched that looks every second: a tick of the kernel's clock is 10 ms.
	looksTime = 30 * time.Second
	// observeTime is how long the bot is watched that looks every minute, as by default.
	observeTime = 2 * time.Minute
	// observeGrowth is by how much a host may cost more among twenty than among five: noise, on a shared machine.
	observeGrowth = 1.5
)

// BenchmarkObserve measures what it costs to observe hosts over kept connections: the CPU of the bot's process alone, the
// hosts are in this one. Three numbers of hosts are looked at every second, each by a bot of its own, for the cost of a
// look; the largest every minute, as by default, for the whole process's share of a core.
func BenchmarkObserve(b *testing.B) {
	for b.Loop() {
		perHost := map[int]float64{}
		for _, hosts := range []int{5, 10, observedHosts} {
			w := newObservedWorld(b, hosts, "1s")
			perHost[hosts] = w.perLook(b) / float64(hosts)
			b.ReportMetric(perHost[hosts]*float64(hosts), fmt.Sprintf("ms-cpu/look-at-%d", hosts))
		}
		if perHost[observedHosts] > observeGrowth*perHost[5] {
			b.Errorf("a look costs %.2f ms a host among %d and %.2f among 5: it grows faster than linearly", perHost[observedHosts], observedHosts, perHost[5])
		}
		w := newObservedWorld(b, observedHosts, "1m")
		share := w.share(b)
		b.ReportMetric(100*share, "percent-of-a-core/each-minute")
		if share > observeBar {
			b.Errorf("observing %d hosts each minute takes %.2f %% of a core, the bar is %.0f %%", observedHosts, 100*share, 100*observeBar)
		}
	}
}

// observedWorld is a bot that observes hosts on which a healthy release runs and nothing changes.
type observedWorld struct {
	*program
	*people
	looks *atomic.Int64 // how often the health endpoint was asked: once a look
	hosts []*sshtest.Server
}

func newObservedWorld(b *testing.B, hosts int, interval string) *observedWorld {
	b.Helper()
	w := &observedWorld{looks: &atomic.Int64{}}
	dir := b.TempDir()
	var names []string
	for range hosts {
		host, err := sshtest.Start(sshtest.Options{Dir: dir, NoLines: true, Handler: steadyHost})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = host.Close() })
		w.hosts, names = append(w.hosts, host), append(names, string(host.Host()))
	}
	health := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { w.looks.Add(1) }))
	b.Cleanup(health.Close)
	slack := startSlack(b)
	env := slackVariables(slack)
	for name, value := range map[string]string{
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall, "ROLLBACK_APPS": "shop",
		"ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(b.TempDir(), "journal.db"), "ROLLBACK_LOG_LEVEL": "warn",
		"ROLLBACK_SSH_KEY": w.hosts[0].KeyFile, "ROLLBACK_SSH_KNOWN_HOSTS": w.hosts[0].KnownHostsFile,
		"ROLLBACK_OBSERVE_INTERVAL":       interval,
		appVariable("shop", "HOSTS"):      strings.Join(names, ","),
		appVariable("shop", "DIR"):        "/opt/shop",
		appVariable("shop", "HEALTH_URL"): health.URL,
	} {
		env[name] = value
	}
	w.program, w.people = &program{binary: realhost.Build(b, "rollbackbot/cmd/rollbackbot"), env: env}, &people{slack: slack, app: "shop"}
	return w
}

// starts starts the bot and waits until it has looked at all hosts, and what the first look costs is over.
func (w *observedWorld) starts(b *testing.B) *serving {
	b.Helper()
	bot := w.serve(b, nil)
	w.connected(b)
	for deadline := time.Now().Add(patience); w.looks.Load() == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("nothing was looked at")
		}
	}
	time.Sleep(idleSettling)
	return bot
}

// perLook is what one look at all hosts costs, in ms of CPU, everything else that the bot does included.
func (w *observedWorld) perLook(b *testing.B) float64 {
	b.Helper()
	bot := w.starts(b)
	looked, used := w.looks.Load(), processorTime(b, bot.cmd.Process.Pid)
	time.Sleep(looksTime)
	used, looked = processorTime(b, bot.cmd.Process.Pid)-used, w.looks.Load()-looked
	w.keptItsConnections(b)
	bot.stop(b)
	if looked < int64(looksTime.Seconds())/2 {
		b.Fatalf("%d looks in %s: too few to judge by", looked, looksTime)
	}
	return milliseconds(used) / float64(looked)
}

// share is how much of one core the whole bot takes.
func (w *observedWorld) share(b *testing.B) float64 {
	b.Helper()
	bot := w.starts(b)
	began, looked, used := time.Now(), w.looks.Load(), processorTime(b, bot.cmd.Process.Pid)
	time.Sleep(observeTime)
	used, looked = processorTime(b, bot.cmd.Process.Pid)-used, w.looks.Load()-looked
	passed := time.Since(began)
	w.keptItsConnections(b)
	bot.stop(b)
	if looked == 0 {
		b.Fatal("nothing was looked at")
	}
	return used.Seconds() / passed.Seconds()
}

func (w *observedWorld) keptItsConnections(b *testing.B) {
	b.Helper()
	for _, host := range w.hosts {
		if n := host.Connections(); n != 1 {
			b.Errorf("%s has %d connections, want the one that is kept", host.Host(), n)
		}
	}
}

// steadyHost answers what an observer asks of a host on which a healthy release runs.
func steadyHost(_ context.Context, line string, _ io.Reader, stdout, _ io.Writer) int {
	line = strings.NewReplacer("'", "", `\`, "", `"`, "").Replace(line)
	services := []string{"api", "worker", "web"}
	ref := func(i int) string {
		return fmt.Sprintf("ghcr.io/acme/shop/%s@sha256:%064x", services[i], i+1)
	}
	say := func(value any) {
		text, _ := json.Marshal(value) // of texts alone
		_, _ = stdout.Write(append(text, '\n'))
	}
	switch {
	case strings.Contains(line, "config --format json"):
		stack := map[string]any{}
		for _, s := range services {
			stack[s] = map[string]any{"image": "rollbackbot.invalid/" + s, "restart": "always"}
		}
		say(map[string]any{"name": "shop", "services": stack})
	case strings.Contains(line, "docker image inspect"):
		for i := range services {
			say(map[string]any{"id": fmt.Sprintf("sha256:%064d", i), "digests": []string{ref(i)}})
		}
	case strings.Contains(line, "ps --all --quiet"): // what it says of them, which docker lists, and the pins
		fmt.Fprintln(stdout, "again")
		for i, s := range services {
			say(map[string]any{"id": fmt.Sprintf("%064d", i), "name": "/shop-" + s + "-1", "image_id": fmt.Sprintf("sha256:%064d", i), "ref": ref(i),
				"state": "running", "service": s, "oneoff": "False", "config_hash": fmt.Sprintf("%064x", i)})
		}
		fmt.Fprintf(stdout, "seen 0 0 %064d %064d %064d\n", 0, 1, 2)
		for i, s := range services {
			fmt.Fprintf(stdout, "%s_IMAGE=%s\n", strings.ToUpper(s), ref(i))
		}
	default:
		return 127
	}
	return 0
}
