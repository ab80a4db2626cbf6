package main_test

import (
	"strings"
	"testing"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/realhost"
)

// TestLock_KeepsARollbackOut: somebody works on the host by hand, and locks it. Whoever asks for a rollback meanwhile
// learns who that is before anybody signs off, and goes on once the lock is given back.
func TestLock_KeepsARollbackOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.brokenRelease(t)
	w.locksAllOrNone(t)

	if out := w.mustRun(t, "lock", w.app, "--as", "ben@laptop", "--reason", "repairing the schema"); !strings.Contains(out, w.host.Target()+": locked by ben@laptop for 30m") {
		t.Errorf("lock prints %q", out)
	}
	const held = "the app's lock is held by ben@laptop since "
	status, stdout, stderr := w.run(t, "lock", w.app, "--as", "CI job 7")
	if status != 1 || !strings.Contains(stdout, held) || !strings.Contains(stdout, "because: repairing the schema") || !strings.Contains(stderr, "not taken") {
		t.Errorf("a second lock ends with status %d: %s%s", status, stdout, stderr)
	}

	bot := w.serve(t, nil)
	w.connected(t)
	w.types(t, onCall, "/rollback "+w.app+" to v1 because v2 answers 503")
	request, _ := w.request(t, 1)
	if !strings.Contains(request.Text, held) {
		t.Errorf("the request does not say who holds the lock:\n%s", request.Text)
	}
	w.clicks(t, lead, request.TS, "signoff_in_place")
	question := w.question(t, request.TS, "retry")
	w.await(t, "who holds the lock", func(now *localslack.Snapshot) bool {
		for _, m := range now.Replies(channel, request.TS) {
			if m.TS == question && strings.Contains(m.Text, held) {
				return true
			}
		}
		return false
	})
	w.runs(t, "v2")
	if status, stdout, stderr := w.run(t, "lock", w.app, "--as", "ben@laptop"); status != 1 || !strings.Contains(stderr, "v2 answers 503") {
		t.Errorf("lock while a rollback is open ends with status %d: %s%s", status, stdout, stderr)
	}

	if out := w.mustRun(t, "unlock", w.app, "--as", "ben@laptop"); !strings.Contains(out, "given back; ben@laptop held it") {
		t.Errorf("unlock prints %q", out)
	}
	w.clicks(t, onCall, question, "retry")
	w.finish(t, 1)
	w.runs(t, "v1")
	w.oneRecord(t, 1)
	bot.stop(t)
	export := w.mustRun(t, "audit", "export")
	for _, kind := range []string{"lock_requested", "lock_taken", "unlock_requested", "unlocked"} {
		if !strings.Contains(export, `"`+kind+`"`) {
			t.Errorf("the journal has no %s", kind)
		}
	}
	w.mustRun(t, "audit", "verify")
}

// locksAllOrNone tries to lock the app with a host more, on which nobody answers.
func (w *world) locksAllOrNone(tb testing.TB) {
	tb.Helper()
	gone := realhost.StartSSHD(tb)
	gone.Stop(tb)
	both := w.with(map[string]string{appVariable(w.app, "HOSTS"): w.host.Target() + "," + gone.Target()})
	status, stdout, stderr := both.run(tb, "lock", w.app, "--as", "ana@laptop")
	if status != 1 || !strings.Contains(stdout, gone.Target()+": it can't be reached") || !strings.Contains(stderr, "not taken") {
		tb.Errorf("lock with a host that is down ends with status %d: %s%s", status, stdout, stderr)
	}
	status, stdout, _ = both.run(tb, "unlock", w.app, "--as", "ana@laptop")
	if status != 1 || !strings.Contains(stdout, w.host.Target()+": nobody held") || !strings.Contains(stdout, gone.Target()+": it can't be reached") {
		tb.Errorf("unlock with a host that is down ends with status %d: %s", status, stdout)
	}
	if status, _, stderr := w.run(tb, "lock", "shopp"); status != 2 || !strings.Contains(stderr, "shopp") || !strings.Contains(stderr, w.app) {
		tb.Errorf("lock of an unknown app ends with status %d: %s", status, stderr)
	}
}
