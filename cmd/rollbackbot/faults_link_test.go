package main_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
)

// TestLink_CutWhileContainersAreReplaced cuts the connection again and again while compose replaces the containers:
// compose goes on, and the bot says nothing that isn't so.
func TestLink_CutWhileContainersAreReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retry = true
	watched := w.watchUp(t)
	w.brokenRelease(t)
	line := "/rollback " + w.app + " to v1 because v2 answers 503"
	// The first cut is before or while the command line is sent, the others are spread over the second that it takes.
	for i, after := range [][]time.Duration{{0}, {100 * time.Millisecond, 500 * time.Millisecond, 900 * time.Millisecond}} {
		if i > 0 {
			w.stack.Up(t, "v2")
		}
		before := w.stack.Containers(t)
		cutter := &cutter{world: w, tb: t, step: "deploy", after: after}
		bot := w.serve(t, cutter.hear)
		w.insist(t, i+1, line, func() {})
		cutter.wait(t, len(after))
		w.runs(t, "v1")
		w.untouched(t, before)
		w.oneRecord(t, i+1)
		cutter.check(t)
		bot.stop(t)
	}
	watched.check(t)
}

func refs(images map[string]string) []string {
	var all []string
	for _, ref := range images {
		all = append(all, ref)
	}
	return all
}

// finish answers the question about the error rate of the nth rollback and waits for its record.
func (p *people) finish(tb testing.TB, n int) localslack.Message {
	tb.Helper()
	request, _ := p.request(tb, n)
	p.clicks(tb, onCall, p.question(tb, request.TS, "error_rate_baseline"), "error_rate_baseline")
	return p.record(tb, n)
}

// cutter cuts the connections to the host once a step's changing command begins.
type cutter struct {
	*world
	tb    testing.TB
	step  string
	after []time.Duration // since the first command of the step

	mu       sync.Mutex
	begun    bool
	cuts     int      // that ended a connection
	verdicts []string // of all steps
}

func (c *cutter) hear(_ *serving, line logLine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if line.Message == "step_finished" {
		c.verdicts = append(c.verdicts, line.Step+" "+line.Verdict)
	}
	if c.begun || line.Message != "command_started" || line.Step != c.step {
		return
	}
	c.begun = true
	for _, after := range c.after {
		time.AfterFunc(after, c.cut)
	}
}

func (c *cutter) cut() {
	n := c.host.Cut(c.tb)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n == 0 { // the bot has not connected again yet: wait for it to be there to be cut
		time.AfterFunc(100*time.Millisecond, c.cut)
		return
	}
	c.cuts++
}

// wait waits until so many connections were cut.
func (c *cutter) wait(tb testing.TB, cuts int) {
	tb.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		c.mu.Lock()
		done := c.cuts >= cuts
		c.mu.Unlock()
		if done {
			return
		}
	}
	tb.Fatalf("the connection was not cut %d times:\n%s", cuts, c.transcript())
}

// check fails the test where a step was said to have failed: a cut link is no failure of what goes on without it.
func (c *cutter) check(tb testing.TB) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.verdicts, func(verdict string) bool { return strings.HasSuffix(verdict, " failed") }) {
		tb.Errorf("a step is said to have failed: %v\n%s", c.verdicts, c.transcript())
	}
	tb.Logf("cut %d times: %v", c.cuts, c.verdicts)
}
