package main_test

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/realhost"
)

// TestKnownGood_WithoutAnyIntegration deploys by hand alone and notes nothing: what the bot saw decides where a rollback
// goes, also a second one, which must not go to what the first one took away.
func TestKnownGood_WithoutAnyIntegration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, realhost.V1, realhost.V2, realhost.V3)
	bot := w.serve(t, nil)
	w.connected(t)
	w.stack.Up(t, "v1")
	w.history(t, "known-good")
	w.stack.Up(t, "v2")
	w.history(t, "/health answers 503")

	w.goesTo(t, 1, "v1", "v2", "checkout answers 503", "so far, since", "/health answers 503")
	w.history(t, "quarantined")
	w.stack.Up(t, "v3")
	w.history(t, "a container of api ")
	w.goesTo(t, 2, "v1", "v3", "v3 crashes", "so far, since", "a container of api ")

	bot.stop(t)
	if journal := w.mustRun(t, "audit", "export"); strings.Contains(journal, `"kind":"deployed"`) || !strings.Contains(journal, `"config_hashes":{"api":["`) {
		t.Error("somebody noted a release, or the configuration that a release ran with is not in the journal")
	}
}

// history waits until `rollbackbot history` has the words.
func (w *world) history(tb testing.TB, words string) {
	tb.Helper()
	var status int
	var out string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if status, out, _ = w.run(tb, "history", w.app); status == 0 && strings.Contains(out, words) {
			return
		}
	}
	tb.Fatalf("the history never says %q (status %d):\n%s", words, status, out)
}

// goesTo asks for the nth rollback without naming a release, and carries it to its record.
func (w *world) goesTo(t *testing.T, n int, to, from, reason string, shown ...string) {
	t.Helper()
	w.types(t, onCall, "/rollback "+w.app+" because "+reason)
	request, _ := w.request(t, n)
	for _, words := range append(shown, shortDigest(w.stack.Images(to)["api"]), shortDigest(w.stack.Images(from)["api"]), "not measured") {
		if !strings.Contains(request.Text, words) {
			t.Errorf("the request lacks %q:\n%s", words, request.Text)
		}
	}
	w.clicks(t, lead, request.TS, "signoff_in_place")
	w.clicks(t, onCall, w.question(t, request.TS, "error_rate_baseline"), "error_rate_baseline")
	record := parseRecord(t, w.record(t, n))
	if toJSON(t, record.To) != toJSON(t, w.stack.Images(to)) || toJSON(t, record.From) != toJSON(t, w.stack.Images(from)) || record.Outcome != "succeeded" {
		t.Errorf("the record says %+v, want %s to %s", record, from, to)
	}
	w.runs(t, to)
	w.await(t, "the bot to be done", func(now *localslack.Snapshot) bool { return len(ofKind(now, "rollback_record")) == n })
}

// shortDigest is a reference's digest as messages show it.
func shortDigest(ref string) string {
	_, digest, _ := strings.Cut(ref, "@")
	return digest[:len("sha256:")+12]
}
