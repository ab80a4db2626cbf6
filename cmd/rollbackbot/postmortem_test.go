package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
)

// It needs the database alone, and says by its exit status whether there is such a rollback.
func TestPostmortem_NeedsTheDatabaseAlone(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "bot.db")
	t.Setenv("ROLLBACK_DATABASE_URL", url)
	if status, _, _ := runPostmortem("rb-1"); status != exitFailed {
		t.Errorf("without a database the status is %d", status)
	}
	store, err := journal.Open(t.Context(), url, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan := runbook.Plan{App: "shop", Target: runbook.Release{ID: "r-1", Version: "v1"}}
	_, err = store.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-1", At: time.Now(), Actor: "U1", Facts: []runbook.Fact{runbook.Requested{
		Request:  runbook.Request{App: "shop", By: "U1", Owner: "U1", Reason: "checkout answers 500", At: time.Now()},
		Plan:     plan,
		Question: runbook.Question{ID: 1, Kind: runbook.AskConfirm, Plan: plan.Hash(), Answers: []runbook.Answer{runbook.Confirm}},
	}}})
	store.Close()
	if err != nil {
		t.Fatal(err)
	}
	status, out, errs := runPostmortem("rb-1")
	if status != exitOK || !strings.Contains(out, "## What broke") || !strings.Contains(out, "checkout answers 500") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	if status, out, errs := runPostmortem("rb-2"); status != exitFailed || out != "" || !strings.Contains(errs, `no rollback "rb-2"`) {
		t.Errorf("of no rollback: status %d: %s%s", status, out, errs)
	}
	if status, _, _ := runPostmortem(); status != exitUsage {
		t.Errorf("without an ID the status is %d", status)
	}
}

func runPostmortem(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(context.Background(), append([]string{"postmortem"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}
