package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// The command lists the latest, says that there are more, and lists them too where it is asked to: the same whether it
// reads the journal or what it kept of it.
func TestHistory_ListsTheLatest(t *testing.T) {
	database := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	t.Setenv("ROLLBACK_DATABASE_URL", database)
	store, err := journal.Open(t.Context(), database, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	note := func(from, to int) {
		t.Helper()
		for i := from; i <= to; i++ {
			entry := runbook.Entry{App: "shop", At: at.Add(time.Duration(i) * time.Minute)}
			digest := runbook.Digest(fmt.Sprintf("sha256:%064x", i))
			entry.Facts = append(entry.Facts, runbook.Deployed{Images: map[string]runbook.Image{"api": {Name: "ghcr.io/acme/api", Digest: digest}}, Version: fmt.Sprintf("v%d.", i)})
			if _, err := store.Append(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask := func(all bool, has, lacks string) {
		t.Helper()
		args := []string{"history", "shop"}
		if all {
			args = append(args, "--all")
		}
		var out, complaint strings.Builder
		if status := run(t.Context(), args, &out, &complaint); status != exitOK || complaint.Len() > 0 {
			t.Fatalf("%q: status %d: %s", args, status, complaint.String())
		}
		for _, text := range strings.Fields(has) {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%q: %s is not in\n%s", args, text, out.String())
			}
		}
		for _, text := range strings.Fields(lacks) {
			if strings.Contains(out.String(), text) {
				t.Errorf("%q: %s is in\n%s", args, text, out.String())
			}
		}
	}
	note(1, history.Recent)
	ask(false, "v1. v100.", "--all")
	note(history.Recent+1, history.Recent+1)
	for range 2 { // from the journal, and from what was kept
		ask(false, "v2. v101. --all", "v1.")
	}
	note(history.Recent+2, history.Recent+2)
	ask(false, "v3. v102. --all", "v1. v2.")
	ask(true, "v1. v2. v3. v102.", "--all")
	note(1, 1) // goes live again
	ask(false, "v1. v4. v102. --all", "v2. v3.")
}
