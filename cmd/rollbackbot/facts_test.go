package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/bot"
	"rollbackbot/internal/github"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/migration"
	"rollbackbot/runbook"
	"rollbackbot/runbook/runner"
)

// A repository as GitHub's REST API shows it, with more between two commits than fits one page:
// https://docs.github.com/en/rest/commits/commits#compare-two-commits
const (
	manyCommits    = 200
	manyMigrations = 50
)

func manyChanges(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/acme/shop/compare/{between}", func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{"total_commits": manyCommits, "behind_by": 0}
		var commits, files []any
		for i := range 100 {
			commits = append(commits, map[string]any{"sha": fmt.Sprintf("%040x", i), "author": map[string]any{"login": fmt.Sprintf("author%d", i%7)}})
		}
		if r.URL.Query().Get("page") != "2" {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=2>; rel="next"`, r.Host, r.URL.Path))
			for i := range manyMigrations {
				files = append(files, map[string]any{"filename": migrationName(i), "status": "added"})
			}
			files = append(files, map[string]any{"filename": "main.go", "status": "modified"})
		}
		answer["commits"], answer["files"] = commits, files
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("GET /repos/acme/shop/contents/{path...}", func(w http.ResponseWriter, r *http.Request) {
		text := "CREATE TABLE a_table_with_a_long_name (" + strings.Repeat("a_column_with_a_long_name_too text, ", 30) + "id int);\n"
		if strings.HasSuffix(r.PathValue("path"), "7.sql") {
			text += "ALTER TABLE orders DROP COLUMN <!channel>;\nALTER TABLE orders DROP COLUMN total;\n"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "file", "encoding": "base64", "size": len(text), "content": base64.StdEncoding.EncodeToString([]byte(text))})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func migrationName(i int) string {
	return fmt.Sprintf("services/shop/db/migrations/202611%02d_a_migration_with_a_rather_long_name_%02d.sql", i%30+1, i)
}

// TestFacts_FitTheSignOff: with 200 commits and 50 migrations between the releases, all that is known of them is in the
// lead's message and its thread. The local Slack takes no message beyond Slack's limits; the judge is the real one.
func TestFacts_FitTheSignOff(t *testing.T) {
	if underRace {
		t.Skip("the parsers take minutes under the race detector on a busy machine: scripts/test.sh runs this without it")
	}
	t.Parallel()
	server := manyChanges(t)
	hub, err := github.New("ghp_averysecrettoken00000", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	store, err := journal.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "rollbackbot.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	slack := startSlack(t)
	api := bot.NewClient(slack.Workspace().BotToken, slack.Workspace().AppToken, slack.APIURL())
	lab, _ := newShop()
	app := shopApp()
	app.Repository, app.MigrationsPaths = "acme/shop", []string{"services/shop/db/migrations"}
	for _, fact := range []runbook.Fact{
		runbook.Deployed{Images: shopImages(1), Version: "v1", Commit: strings.Repeat("1", 40), Migration: runbook.MigrationNone},
		runbook.Observed{Images: shopImages(1)}, runbook.Verified{Images: shopImages(1)},
		runbook.Deployed{Images: shopImages(2), Version: "v2", Commit: strings.Repeat("2", 40), Migration: runbook.MigrationUnknown},
		runbook.Observed{Images: shopImages(2)},
	} {
		if _, err := store.Append(t.Context(), runbook.Entry{App: "shop", At: time.Now(), Facts: []runbook.Fact{fact}}); err != nil {
			t.Fatal(err)
		}
	}
	who, err := bot.Identify(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	rollbacks := &runner.Runner{
		Apps: []runbook.App{app}, Journal: store, Hosts: lab, Health: lab.Health(), Policy: runbook.Policy{}, SignoffTimeout: time.Hour,
		Directory: &bot.Directory{API: api, Team: who.Team, Channel: channel, Leads: []string{lead}, Requesters: []string{onCall}},
		Announcer: bot.NewAnnouncer(api, bot.AnnouncerConfig{Channel: channel, Leads: []string{lead}, Apps: []runbook.App{app}}, zerolog.Nop()),
		Source:    hub, Judge: migration.NewProcess(),
		Problem: func(_ string, err error) { t.Errorf("a problem: %v", err) },
	}
	if err := rollbacks.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := rollbacks.Request(t.Context(), runbook.Request{App: "shop", By: onCall, Reason: strings.Repeat("checkout answers 503. ", 130)}, ""); err != nil {
		t.Fatal(err)
	}
	people := &people{slack: slack, app: "shop"}
	var request, thread localslack.Message
	people.await(t, "the facts in the request and its thread", func(now *localslack.Snapshot) bool {
		for _, request = range ofKind(now, "rollback_request") {
			for _, thread = range now.Replies(channel, request.TS) {
				if strings.Contains(string(thread.Blocks), "All 50 migration files between the two releases") {
					// On a busy machine the judge is late, and there is a second plan.
					return strings.Contains(string(request.Blocks), "200 commits") && !strings.Contains(string(request.Blocks), "has not told everything yet")
				}
			}
		}
		return false
	})
	for _, part := range []string{
		"50 migration files, the worst breaks or may break the former version (by its syntax, not tried against the former code)",
		server.URL + "/acme/shop/compare/", "line 3: breaks or may break the former version, by its syntax, not tried against the former code",
		"ALTER TABLE orders DROP COLUMN total", "and 45 migration files more, none of them worse", "Forward-compatible migrations", "signoff_in_place", "signoff_reverted", "signoff_none", "signoff_reject",
		"its commits have 50 migration files",
	} {
		if !strings.Contains(string(request.Blocks), part) {
			t.Errorf("the request doesn't say %q:\n%s", part, request.Blocks)
		}
	}
	for i := range manyMigrations {
		if !strings.Contains(string(thread.Blocks), migrationName(i)) {
			t.Errorf("the thread doesn't name %s", migrationName(i))
		}
	}
	if strings.Contains(string(request.Blocks)+string(thread.Blocks), "The rest is cut") {
		t.Error("something is cut")
	}
}
