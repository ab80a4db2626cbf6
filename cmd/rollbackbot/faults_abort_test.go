package main_test

import (
	"crypto/rand"
	"testing"
	"time"

	"rollbackbot/internal/realhost"
)

// TestAbort_StopsThePull aborts while an image is on its way that takes for ever: nothing waits for it, and nothing
// of it is left on the host.
func TestAbort_StopsThePull(t *testing.T) {
	t.Parallel()
	good, sick := realhost.V1, realhost.V2
	good.Build = rand.Text() // no other test's: the engine must have to fetch them
	w := newWorld(t, good, sick)
	w.brokenRelease(t)
	before, envBefore := w.stack.Containers(t), w.stack.Env(t)
	realhost.RemoveFromHost(t, refs(w.stack.Images("v1"))...)
	w.registry.Hold(t)
	defer w.registry.Release(t)

	pulling := make(chan struct{})
	bot := w.serve(t, func(_ *serving, line logLine) {
		if line.Message == "command_started" && line.Step == "fetch" {
			close(pulling)
		}
	})
	w.connected(t)
	w.types(t, onCall, "/rollback "+w.app+" to v1 because v2 answers 503")
	request, asked := w.request(t, 1)
	w.clicks(t, lead, request.TS, "signoff_in_place")
	select {
	case <-pulling:
	case <-time.After(patience):
		t.Fatalf("no image was pulled:\n%s", w.transcript())
	}
	w.eventually(t, "the pull holds the lock", func() bool {
		return w.stack.Shell(t, "flock -n ~/.rollbackbot/"+w.app+"/lock true || echo runs") == "runs"
	})
	w.types(t, onCall, "/rollback abort "+asked.Rollback)
	if got := parseRecord(t, w.record(t, 1)); got.Outcome != "aborted" {
		t.Errorf("the record is %+v, want that it was aborted", got)
	}
	if free := w.stack.Shell(t, "flock -n ~/.rollbackbot/"+w.app+"/lock echo free"); free != "free" {
		t.Errorf("the lock on the host is still held by the pull: %q", free)
	}
	if got := w.stack.Containers(t); !equalContainers(got, before) || w.stack.Env(t) != envBefore {
		t.Errorf("something was changed: %+v\nwas\n%+v", got, before)
	}
	bot.stop(t)
}

// eventually waits until something is so on the host.
func (w *world) eventually(tb testing.TB, what string, so func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain: %s\n%s", what, w.transcript())
		}
	}
}
