// Package journal keeps what happened, and what people said, in an SQL database. It implements runbook.Journal and
// runbook.Inbox.
//
// # One chain per app
//
// Every app has a chain of events, numbered from 1 without a gap. The hash of an event is the SHA-256 of the hash
// before it and of the event's own line, so that whoever changes, removes or reorders an event breaks the chain from
// there on; [Store.Verify] names the first broken link. Whoever can write the database can also compute the whole
// chain anew: what makes it evidence is a head that stands elsewhere, as in the records posted to Slack.
//
// # The line format, version 1
//
// An event's line is one JSON object with these members in this order, without white space between them:
//
//	{"v":1,"app":"shop","seq":7,"rollback":"rb-k3","epoch":2,"at":"2026-05-04T03:02:01.000000Z",
//	 "kind":"step_started","actor":"","cause":"","body":{…}}
//
// Strings are escaped as encoding/json does without HTML escapes; at is UTC with six decimals; body is the fact's JSON,
// byte for byte as it was stored. The hash is SHA-256(previous hash in hex, line feed, line), in lower-case hex; the
// hash before the first event is the empty text. An exported line is the same line with a last member, "hash".
//
// # One owner
//
// An app's epoch only grows ([Store.Acquire]); entries that name an older one are refused. [Store.Own] sees to it that
// one process at a time acts for the whole journal. Appending is open to every process: all of them may note a release
// or put a delivery into the inbox while the owner works.
//
// # The SQL
//
// Every statement reads the same on SQLite and PostgreSQL: $1 placeholders, TEXT, BIGINT, times as microseconds since
// 1970 UTC, INSERT … ON CONFLICT DO NOTHING, UPDATE … RETURNING. What only SQLite needs is in sqlite.go. An append
// updates the app's row first: that is the lock under which a chain grows, on both.
package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

var (
	_ runbook.Journal = (*Store)(nil)
	_ runbook.Inbox   = (*Store)(nil)
)

// Store is an open journal. All its methods may be called from several goroutines at once. Close it.
type Store struct {
	path   string  // for messages
	writer *sql.DB // a single connection on SQLite, so that the writers of this process queue up here in turn
	reader *sql.DB
	lock   ownLock
}

// Options are how Open goes about it. The zero value creates what is missing.
type Options struct {
	// MustExist opens a journal that is there already and never creates or upgrades one: for commands that only read.
	MustExist bool
}

// ErrNoJournal says that there is no journal where one must be (Options.MustExist).
var ErrNoJournal = errors.New("there is no journal")

// ErrNewerSchema says that a newer version of this program has upgraded the journal. Nothing was opened.
var ErrNewerSchema = errors.New("a newer version of rollbackbot has upgraded this journal")

// Open opens the journal at url, "sqlite:PATH", and brings its schema up to date. Errors say what is wrong with the
// path and what to do about it, and never quote a URL, which may hold a password; ErrNoJournal and ErrNewerSchema can
// be told apart.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	path, err := sqlitePath(url)
	if err != nil {
		return nil, err
	}
	s, err := openSQLite(path, opts.MustExist)
	if err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", path, err)
	}
	if err := s.prepare(ctx, opts.MustExist); err != nil {
		_ = s.Close() // nothing was written through it
		return nil, fmt.Errorf("open the journal %s: %w", s.path, err)
	}
	return s, nil
}

// prepare brings the schema up to date and proves that the journal can be written, unless it is opened for reading.
func (s *Store) prepare(ctx context.Context, mustExist bool) error {
	if err := s.migrate(ctx, mustExist); err != nil || mustExist {
		return err
	}
	return s.write(ctx, func(*sql.Tx) error { return nil })
}

// Close closes the journal and gives back what Own took. What was appended is on disk already.
func (s *Store) Close() error {
	s.lock.release()
	// The writer last: SQLite's last connection folds the write-ahead log into the file, and readers may not write.
	return errors.Join(s.reader.Close(), s.writer.Close())
}

// write runs f in one transaction: all of it is on disk when write returns nil, and nothing otherwise.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	if err := f(tx); err != nil {
		// The error that matters is the one that made it fail; a transaction that can't be rolled back loses its
		// connection, and with it what it wrote.
		_ = tx.Rollback()
		return explain(err)
	}
	return explain(tx.Commit())
}

// read runs f in one transaction that sees the journal as it was at one moment.
func (s *Store) read(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return explain(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return explain(f(tx))
}

// sqlitePath is the PATH of "sqlite:PATH". Its errors quote nothing beyond a scheme: a URL may hold a password.
func sqlitePath(url string) (string, error) {
	scheme, path, found := strings.Cut(url, ":")
	switch {
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return "", errors.New("this version keeps its journal in SQLite: set the database URL to sqlite:PATH")
	case !found || scheme != "sqlite" || strings.HasPrefix(path, "//"):
		return "", errors.New("the database URL must be sqlite:PATH, as in sqlite:rollbackbot.db or sqlite:/var/lib/rollbackbot/journal.db")
	case path == "" || path == ":memory:" || strings.ContainsRune(path, 0):
		return "", errors.New("the database URL must name a file, as in sqlite:rollbackbot.db: a journal has to outlive the process")
	}
	return path, nil
}
