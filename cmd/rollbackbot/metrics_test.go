package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
)

// Who is waited for is told while somebody is, by every process that reads the journal, and by no name.
func TestMetrics_WhoIsWaitedFor(t *testing.T) {
	t.Parallel()
	store, err := journal.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r := &replica{cfg: config.Config{Apps: []runbook.App{{Name: "shop"}, {Name: "blog"}}}, log: zerolog.Nop(), store: store}
	at := time.Unix(1_700_000_000, 0).UTC()
	happens := func(after time.Duration, facts ...runbook.Fact) string {
		t.Helper()
		if len(facts) > 0 {
			if _, err := store.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-1", At: at.Add(after), Facts: facts}); err != nil {
				t.Fatal(err)
			}
		}
		var out exposition
		r.waitFor(t.Context(), &out)
		var samples []string
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "#") {
				samples = append(samples, line)
			}
		}
		return strings.Join(samples, "")
	}
	if got := happens(0); got != "" {
		t.Errorf("before there is a rollback: %s", got)
	}
	question := runbook.Question{ID: 1, Kind: runbook.AskSignoff, Answers: []runbook.Answer{runbook.SignoffNone}, Deadline: at.Add(time.Hour)}
	want := func(who string) string {
		return `rollbackbot_waiting_since_timestamp_seconds{app="shop",for="` + who + `"} 1700000000` + "\n" +
			`rollbackbot_waiting_deadline_timestamp_seconds{app="shop",for="` + who + `"} 1700003600` + "\n"
	}
	if got := happens(0, runbook.Requested{Request: runbook.Request{App: "shop", By: "U0ANA"}, Question: question}); got != want("leads") {
		t.Errorf("after the request:\n%s", got)
	}
	if got := happens(40*time.Minute, runbook.DeputiesAsked{Question: 1}); got != want("deputies") {
		t.Errorf("after the deputies were asked:\n%s", got)
	}
	if got := happens(time.Hour, runbook.DeadlinePassed{Question: 1}); got != "" {
		t.Errorf("after its deadline:\n%s", got)
	}
	if got := happens(time.Hour, runbook.Ended{Outcome: runbook.Expired}); got != "" {
		t.Errorf("after the end:\n%s", got)
	}
}
