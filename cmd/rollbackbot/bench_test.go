package main_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/realhost"
)

// benchRounds is how often each way is gone, in turn, in one run: medians of fewer say little on a shared machine.
const benchRounds = 5

// leadReads is how long the lead looks at the plan: what the bot does meanwhile, such as reading the containers' last lines,
// is over by then, as it is with any person.
const leadReads = 3 * time.Second

// BenchmarkRollback takes one stack back from v2 to v1 on one real host, in turn by the bot (from the lead's click), by
// `docker compose up -d` typed on the host itself, and by the runbook's text over OpenSSH's client. Each ends at the
// proof of health that belongs to it: the bot's three 200s with every container on its image, the others' first 200.
// The failed release brings no migration: with one, the runbook's own lines end in an outage (TestStack_TheRunbooksLines).
func BenchmarkRollback(b *testing.B) {
	sick := realhost.V2
	sick.Schema = realhost.V1.Schema
	w := newWorld(b, realhost.V1, sick)
	w.brokenRelease(b)
	w.env["ROLLBACK_OBSERVE_INTERVAL"] = "1h" // what is deployed by hand here, round by round, is no history
	bot := w.serve(b, nil)
	defer bot.stop(b)
	w.connected(b)
	for b.Loop() {
		var byBot, byHand, overSSH []time.Duration
		phases := map[string][]time.Duration{}
		var ups, starts, own []time.Duration
		var commands []int
		for round := range benchRounds {
			timeline := w.timedRollback(b, round+1)
			commands = append(commands, timeline.commands)
			byBot = append(byBot, timeline.total)
			ups, own = append(ups, timeline.up), append(own, timeline.total-timeline.up)
			for step, took := range timeline.steps {
				phases[step] = append(phases[step], took)
			}
			w.stack.Up(b, "v2")
			whole, start := w.timedUp(b)
			byHand, starts = append(byHand, whole), append(starts, start)
			w.stack.Up(b, "v2")
			overSSH = append(overSSH, w.timedRunbook(b))
			w.stack.Up(b, "v2")
		}
		b.ReportMetric(median(byBot).Seconds(), "s/bot")
		b.ReportMetric(median(byHand).Seconds(), "s/compose-up")
		b.ReportMetric(median(overSSH).Seconds(), "s/runbook-over-ssh")
		b.ReportMetric(float64(median(byBot))/float64(median(byHand)), "bot/compose-up")
		b.ReportMetric(float64(median(byBot))/float64(median(overSSH)), "bot/runbook-over-ssh")
		b.ReportMetric((median(own) - median(starts)).Seconds(), "s/own-share")
		b.ReportMetric(float64(median(commands)), "remote-commands")
		for _, step := range []string{"identify", "fetch", "pin", "deploy", "health"} {
			b.ReportMetric(median(phases[step]).Seconds(), "s/"+step)
		}
		b.ReportMetric(median(ups).Seconds(), "s/up")
		b.ReportMetric(median(starts).Seconds(), "s/app-start")
		b.Logf("bot %v, compose up %v, runbook over ssh %v", byBot, byHand, overSSH)
	}
}

func median[T cmp.Ordered](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// timeline is when what happened in a rollback, by its journal.
type timeline struct {
	total    time.Duration            // from the sign-off to proven healthy
	up       time.Duration            // `docker compose up`, from when it was about to leave until it was known to have ended
	steps    map[string]time.Duration // each step, by its name
	commands int                      // that the host was given meanwhile
}

// timedRollback goes back to v1 by the bot.
func (w *world) timedRollback(b *testing.B, n int) timeline {
	b.Helper()
	w.types(b, onCall, "/rollback "+w.app+" to v1 because of the benchmark")
	request, asked := w.request(b, n)
	time.Sleep(leadReads)
	given := w.commandsGiven(b)
	w.clicks(b, lead, request.TS, "signoff_in_place")
	question := w.question(b, request.TS, "error_rate_baseline")
	w.clicks(b, onCall, question, "error_rate_baseline")
	w.record(b, n)
	w.runs(b, "v1")
	t, signed, healthy := w.timeline(b, asked.Rollback)
	for _, at := range given() {
		if at.After(signed) && at.Before(healthy) {
			t.commands++
		}
	}
	return t
}

// commandsGiven watches sshd's log from now on. What it gives ends that, and says when each command was begun that the host
// was given meanwhile.
func (w *world) commandsGiven(b *testing.B) (end func() []time.Time) {
	b.Helper()
	var begun []time.Time
	before := strings.Count(w.host.Log(b), "Starting session: command")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			for seen := strings.Count(w.host.Log(b), "Starting session: command") - before; len(begun) < seen; {
				begun = append(begun, time.Now())
			}
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() []time.Time {
		close(stop)
		<-stopped
		return begun
	}
}

// timeline reads a rollback's times from the export of the journal.
func (w *world) timeline(b *testing.B, rollback string) (out timeline, signed, healthy time.Time) {
	b.Helper()
	out = timeline{steps: map[string]time.Duration{}}
	var up time.Time
	started := map[string]time.Time{}
	lines := bufio.NewScanner(bytes.NewReader([]byte(w.mustRun(b, "audit", "export"))))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Rollback, Kind string
			At             time.Time
			Body           struct{ Step, Answer string }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			var kindOnly struct{ Kind string }
			if json.Unmarshal(lines.Bytes(), &kindOnly) != nil {
				b.Fatal(err)
			}
			continue // a body of another shape, which holds no times
		}
		if event.Rollback != rollback {
			continue
		}
		switch step := event.Body.Step; event.Kind {
		case "answered":
			if event.Body.Answer == "signoff_in_place" {
				signed = event.At
			}
		case "step_started":
			started[step] = event.At
		case "step_finished":
			out.steps[step] = event.At.Sub(started[step])
			if step == "health" {
				healthy = event.At
				out.total = healthy.Sub(signed)
			}
		case "command_started":
			up = event.At
		case "command_finished":
			out.up = event.At.Sub(up)
		}
	}
	if out.total <= 0 || out.up <= 0 {
		b.Fatalf("the journal of %s gives no times: %+v", rollback, out)
	}
	return out, signed, healthy
}

// timedUp goes back to v1 as somebody on the host would who knows the images: the pins, and `docker compose up -d`.
// start is how long the first 200 took after compose had ended.
func (w *world) timedUp(b *testing.B) (whole, start time.Duration) {
	b.Helper()
	began := time.Now()
	w.stack.Up(b, "v1")
	upped := time.Now()
	w.firstOK(b)
	return time.Since(began), time.Since(upped)
}

func (w *world) firstOK(b *testing.B) {
	b.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if answer, err := http.Get(w.stack.HealthURL()); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Since(began) > patience {
			b.Fatal("no 200")
		}
	}
}

// timedRunbook goes back to v1 by the runbook's text: step 2 over ssh, then step 3's loop.
func (w *world) timedRunbook(b *testing.B) time.Duration {
	b.Helper()
	var script strings.Builder
	fmt.Fprintf(&script, "cd %s\n", w.stack.Dir)
	for service, ref := range w.stack.Images("v1") {
		fmt.Fprintf(&script, "export %s_IMAGE=%q\n", strings.ToUpper(service), ref)
	}
	script.WriteString("docker compose -f infra/docker-compose.prod.yml pull\ndocker compose -f infra/docker-compose.prod.yml up -d\n")
	loop := fmt.Sprintf(`for i in $(seq 1 12); do STATUS=$(curl -s -o /dev/null -w "%%{http_code}" %s); [ "$STATUS" = "200" ] && break; sleep 10; done; [ "$STATUS" = 200 ]`, w.stack.HealthURL())
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	words := append(w.host.Client(b), "bash", "-s")
	began := time.Now()
	step2 := exec.CommandContext(ctx, words[0], words[1:]...)
	step2.Stdin = strings.NewReader(script.String())
	if out, err := step2.CombinedOutput(); err != nil {
		b.Fatalf("step 2: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(ctx, "bash", "-c", loop).CombinedOutput(); err != nil {
		b.Fatalf("step 3: %v\n%s", err, out)
	}
	return time.Since(began)
}
