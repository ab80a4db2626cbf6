package main_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/realhost"
	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

// lonelyBot is the program with a Slack, a journal in a file and a host that nobody can reach.
func lonelyBot(t *testing.T) (p *program, slack *localslack.Server, database string) {
	t.Helper()
	host, err := sshtest.Start(sshtest.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Close(); err != nil { // its keys are enough
		t.Fatal(err)
	}
	slack, database = startSlack(t), filepath.Join(t.TempDir(), "journal.db")
	env := slackVariables(slack)
	for name, value := range map[string]string{
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall, "ROLLBACK_APPS": "shop",
		"ROLLBACK_DATABASE_URL": "sqlite:" + database, "ROLLBACK_SSH_KEY": host.KeyFile, "ROLLBACK_SSH_KNOWN_HOSTS": host.KnownHostsFile,
		"ROLLBACK_APP_SHOP_HOSTS": string(host.Host()), "ROLLBACK_APP_SHOP_DIR": "/srv/shop", "ROLLBACK_APP_SHOP_HEALTH_URL": "http://127.0.0.1:1/health",
	} {
		env[name] = value
	}
	return &program{binary: realhost.Build(t, "rollbackbot/cmd/rollbackbot"), env: env}, slack, database
}

// TestServe_EditedJournal: a rollback is open, and somebody has edited what the journal says about it. The bot does not
// go on with it; it names the event, as audit verify does, and the way on.
func TestServe_EditedJournal(t *testing.T) {
	t.Parallel()
	p, slack, database := lonelyBot(t)
	store, err := journal.Open(t.Context(), "sqlite:"+database, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, err = store.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-one", At: time.Now(), Facts: []runbook.Fact{
		runbook.Requested{Request: runbook.Request{App: "shop", Reason: "5xx", By: onCall}, Question: runbook.Question{ID: 1, Deadline: time.Now().Add(-time.Hour)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE events SET body = replace(body, '5xx', '4xx')`); err != nil {
		t.Fatal(err)
	}

	status, _, stderr := p.run(t, "serve")
	for _, want := range []string{"take shop over", "the journal of shop is broken at event 1", "docs/survival.md"} {
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("serve ends with status %d and says %q, want 1 and %q", status, stderr, want)
		}
	}
	if messages := slack.Messages(channel); len(messages) > 0 {
		t.Errorf("it spoke all the same: %+v", messages)
	}
	if status, _, stderr := p.run(t, "audit", "verify"); status != 1 || !strings.Contains(stderr, "broken at event 1") {
		t.Errorf("audit verify: status %d, %q", status, stderr)
	}
}

// TestServe_JournalTakenAway: the journal's file is moved away under a running bot. Nothing is accepted any more, people
// and log say why; with the file back, the bot goes on.
func TestServe_JournalTakenAway(t *testing.T) {
	t.Parallel()
	p, slack, database := lonelyBot(t)
	bot := p.serve(t, nil)
	persons := &people{slack: slack, app: "shop"}
	persons.connected(t)
	persons.types(t, onCall, "/rollback help")
	persons.told(t, onCall, 0, "/rollback")
	if err := os.Rename(database, database+".away"); err != nil {
		t.Fatal(err)
	}
	persons.types(t, onCall, "/rollback help")
	persons.told(t, onCall, 0, "NOT accepted")
	for deadline := time.Now().Add(patience); !strings.Contains(bot.text(), "the journal's file is gone: put it back"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say why:\n%s", bot.text())
		}
	}
	if err := os.Rename(database+".away", database); err != nil {
		t.Fatal(err)
	}
	answers := len(slack.CallsTo("response_url"))
	persons.types(t, onCall, "/rollback help")
	persons.await(t, "an answer after the file is back", func(*localslack.Snapshot) bool { return len(slack.CallsTo("response_url")) > answers })
	bot.stop(t)
}
