package main_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// load is how slash commands come.
type load struct {
	name           string
	total, atATime int
}

var loads = []load{{"sequential", 500, 1}, {"64-in-flight", 2000, 64}, {"2000-at-once", 2000, 2000}}

// ackRounds is how often each way gets each load, in turn, in one run.
const ackRounds = 3

// ackBar is what an acknowledgement may take at p99, also of 2,000 at once.
const ackBar = time.Second

// listener is an app that acknowledges slash commands, on a Slack of its own.
type listener struct {
	name  string
	slack *localslack.Server
	// answers says that the app answers each command besides, which is waited for before the next load.
	answers bool
}

// BenchmarkAck times a slash command from when Slack sends it until Slack has its acknowledgement, as Slack sees it: the
// bot, which has stored it by then, on both stores, and beside it Slack's own @slack/bolt and slack-go's own loop, both of
// which acknowledge at once and store nothing.
func BenchmarkAck(b *testing.B) {
	node, modules := parts.Bolt(b)
	host := idleHost(b)
	var listeners []listener
	for name, database := range stores(b) {
		w := newIdleWorld(b, host, database)
		w.env["ROLLBACK_OBSERVE_INTERVAL"] = "1h"
		bot := w.serve(b, nil)
		defer bot.stop(b)
		w.connected(b)
		listeners = append(listeners, listener{name: name, slack: w.slack, answers: true})
	}
	listeners = append(listeners,
		listener{name: "bolt", slack: startApp(b, map[string]string{"NODE_MODULES": modules}, node, "testdata/bolt/app.js")},
		listener{name: "slack-go", slack: startApp(b, nil, realhost.Build(b, "rollbackbot/cmd/rollbackbot/testdata/slackgo"))})
	for b.Loop() {
		for _, load := range loads {
			p50, p99 := map[string][]time.Duration{}, map[string][]time.Duration{}
			for range ackRounds {
				for _, l := range listeners {
					took := l.bear(b, load)
					p50[l.name], p99[l.name] = append(p50[l.name], took[len(took)/2]), append(p99[l.name], took[len(took)*99/100])
				}
			}
			for _, l := range listeners {
				b.ReportMetric(milliseconds(median(p50[l.name])), "ms/"+load.name+"/"+l.name+"-p50")
				b.ReportMetric(milliseconds(median(p99[l.name])), "ms/"+load.name+"/"+l.name+"-p99")
				if l.answers {
					b.ReportMetric(float64(median(p99[l.name]))/float64(median(p99["bolt"])), load.name+"/"+l.name+"-p99/bolt")
				}
				if worst := slices.Max(p99[l.name]); l.answers && worst > ackBar {
					b.Errorf("%s, %s: p99 is %v, above %v", load.name, l.name, worst, ackBar)
				}
			}
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// startApp starts a program as the app of a Slack of its own, and waits until it listens.
func startApp(b *testing.B, env map[string]string, name string, args ...string) *localslack.Server {
	b.Helper()
	slack := startSlack(b)
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.Env = os.Environ()
	for _, variables := range []map[string]string{env, slackVariables(slack)} {
		for name, value := range variables {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "signal: killed" is what was asked for
	})
	(&people{slack: slack}).connected(b)
	return slack
}

// bear has people type commands as the load says, and gives the times of their acknowledgements, the shortest first.
func (l listener) bear(b *testing.B, load load) []time.Duration {
	b.Helper()
	took := make([]time.Duration, load.total)
	next := make(chan int)
	var people sync.WaitGroup
	for range load.atATime {
		people.Go(func() {
			for i := range next {
				ack, err := l.slack.CommandText(context.Background(), onCall, channel, "/rollback", "help")
				if err != nil {
					b.Errorf("%s, %s: %v", load.name, l.name, err)
				}
				took[i] = ack.Took
			}
		})
	}
	for i := range load.total {
		next <- i
	}
	close(next)
	people.Wait()
	if b.Failed() {
		b.FailNow()
	}
	if l.answers {
		l.answered(b)
	}
	slices.Sort(took)
	return took
}

// answered waits until every command so far is answered.
func (l listener) answered(b *testing.B) {
	b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		asked, answered := len(l.slack.Envelopes()), len(l.slack.CallsTo("response_url"))
		if answered >= asked {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s: %d of %d commands are answered", l.name, answered, asked)
		}
	}
}
