package main_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "rollbackbot/internal/journal" // brings the driver
)

// TestServe_MeetsANewerJournal: an older binary on a journal that a newer one has written to says so, and does nothing.
func TestServe_MeetsANewerJournal(t *testing.T) {
	t.Parallel()
	const digest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	for _, row := range []struct {
		name, statement string
		want            []string
	}{
		{
			"a newer schema", `INSERT INTO schema_version (version, at) VALUES (99, 0)`,
			[]string{"a newer version of rollbackbot has upgraded this journal", "its schema is 99"},
		}, {
			"an event of a newer kind", `INSERT INTO events (app, seq, rollback, epoch, at, kind, actor, cause, body, hash)
			VALUES ('shop', 2, 'rb-newer', 1, 0, 'levitated', '', '', '{}', '')`,
			[]string{"event 2 of shop", `"levitated"`, "a newer version wrote it"},
		},
	} {
		slack := startSlack(t)
		p := unreachable(t, slack)
		p.mustRun(t, "deployed", "shop", "--image", "api=a/api"+digest, "--image", "worker=a/worker"+digest, "--image", "web=a/web"+digest)
		execute(t, strings.TrimPrefix(p.env["ROLLBACK_DATABASE_URL"], "sqlite:"), row.statement)
		status, _, stderr := p.run(t, "serve")
		if status != 1 {
			t.Errorf("%s: ended with status %d, want 1", row.name, status)
		}
		for _, want := range row.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: standard error does not say %q:\n%s", row.name, want, stderr)
			}
		}
		if now := slack.Snapshot(); len(now.Messages(channel)) > 0 || now.Sockets() > 0 {
			t.Errorf("%s: it spoke to Slack all the same", row.name)
		}
	}
}

func execute(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
