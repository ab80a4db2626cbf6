package journal

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// at is the instant of the tests' entries, with more digits than a journal keeps.
var at = time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.FixedZone("", 7200))

// onBoth runs the test on an empty journal of each kind. A URL is a journal; several stores of it are several processes.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, sqliteURL(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, parts.PostgreSQL(t)) })
}

// onBothStores is onBoth for tests of one open store.
func onBothStores(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	onBoth(t, func(t *testing.T, url string) { test(t, open(t, url)) })
}

func sqliteURL(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
}

func open(t testing.TB, url string) *Store {
	t.Helper()
	return openWith(t, url, Options{})
}

// guard is far above what anything takes here: a machine that is slow must fail no test.
const guard = 5 * time.Minute

// openWith opens a store that takes a transaction for stalled as late as a slow machine may need, with the race detector
// in SQLite. TestOpen_Patience has what all others have.
func openWith(t testing.TB, url string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	s.patience = guard
	t.Cleanup(func() { s.Close() })
	return s
}

// with adds a setting to a URL.
func with(url, name, value string) string {
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return url + separator + name + "=" + value
}

func mustAppend(t testing.TB, s *Store, entry runbook.Entry) []runbook.Event {
	t.Helper()
	if entry.App == "" {
		entry.App = "shop"
	}
	if entry.At.IsZero() {
		entry.At = at
	}
	events, err := s.Append(context.Background(), entry)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func mustPut(t testing.TB, s *Store, key string) {
	t.Helper()
	fresh, err := s.Put(context.Background(), runbook.Delivery{Key: key, Kind: "command", Body: []byte("b"), At: at})
	if err != nil || !fresh {
		t.Fatalf("Put(%q) = %t, %v; want a fresh delivery", key, fresh, err)
	}
}

func mustExec(t testing.TB, s *Store, query string, args ...any) {
	t.Helper()
	if _, err := s.writer.ExecContext(context.Background(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func mustVerify(t testing.TB, s *Store, app string) {
	t.Helper()
	if err := s.Verify(context.Background(), app); err != nil {
		t.Error(err)
	}
}

func count(t testing.TB, s *Store, query string) (n int) {
	t.Helper()
	err := s.read(context.Background(), func(ctx context.Context, tx *sql.Tx) error { return tx.QueryRowContext(ctx, query).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hasAll fails the test unless the error says all of it.
func hasAll(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
}

func requested() runbook.Fact {
	return runbook.Requested{Request: runbook.Request{App: "shop", Reason: "5xx <b>&</b> \u2028 'quoted'", By: "U1"}}
}

func note(text string) runbook.Fact { return runbook.Diverged{Detail: text} }

func facts(f ...runbook.Fact) []runbook.Fact { return f }
