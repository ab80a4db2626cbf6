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
// 1970 UTC, INSERT … ON CONFLICT DO NOTHING, UPDATE … RETURNING. What differs is a dialect, one for each. An append
// updates the app's row first: that is the lock under which a chain grows, on both.
//
// # A commit without an answer
//
// A connection can be lost between a COMMIT and its answer. What must not be done twice is then looked for, behind the
// locks that its transaction had, before anybody is told whether it was written; where the database stays away, the
// answer is runbook.ErrUncertain.
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
	opened
	owning   owning
	proven   provenChains
	arrivals gathering[*arrival]
	marks    gathering[*mark]
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

// Open opens the journal at url, "sqlite:PATH" or "postgres://USER:PASSWORD@HOST:PORT/DATABASE", and brings its schema up
// to date. Errors say what is wrong and what to do about it, and never quote the URL, which may hold a password;
// ErrNoJournal and ErrNewerSchema can be told apart.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	database, err := openDatabase(url, opts.MustExist)
	if err != nil {
		return nil, err
	}
	s := &Store{opened: database}
	s.arrivals.store, s.marks.store = s.storeArrivals, s.storeMarks
	if err := s.prepare(ctx, opts.MustExist); err != nil {
		_ = s.Close() // nothing was written through it
		return nil, openError(s.dialect, err)
	}
	return s, nil
}

// openDatabase opens what the URL's scheme stands for. Its errors quote nothing beyond a scheme.
func openDatabase(url string, mustExist bool) (opened, error) {
	scheme, rest, found := strings.Cut(url, ":")
	switch {
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return openPostgreSQL(url)
	case !found || scheme != "sqlite" || strings.HasPrefix(rest, "//"):
		return opened{}, errors.New("the database URL must be sqlite:PATH, as in sqlite:/var/lib/rollbackbot/journal.db, or " + postgreSQLForm)
	case rest == "" || rest == ":memory:" || strings.ContainsRune(rest, 0):
		return opened{}, errors.New("the database URL must name a file, as in sqlite:rollbackbot.db: a journal has to outlive the process")
	}
	return openSQLite(rest, mustExist)
}

// openError names the journal, unless err does.
func openError(d dialect, err error) error {
	var named *serverError
	if errors.As(err, &named) {
		return fmt.Errorf("open the journal: %w", err)
	}
	return fmt.Errorf("open the journal %s: %w", d, err)
}

// prepare brings the schema up to date and proves that the journal can be written, unless it is opened for reading.
func (s *Store) prepare(ctx context.Context, mustExist bool) error {
	if err := s.migrate(ctx, mustExist); err != nil || mustExist {
		return err
	}
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.dialect.writable(ctx, tx); err != nil {
			return err
		}
		return errLooked
	})
	if errors.Is(err, errLooked) {
		return nil
	}
	return err
}

// Ping asks whether the journal can be reached right now. The error says what is wrong.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := s.schemaVersion(ctx, tx)
		return err
	})
}

// Close closes the journal and gives back what Own took. What was appended is on disk already.
func (s *Store) Close() error {
	s.owning.release()
	// The writer last: SQLite's last connection folds the write-ahead log into the file, and readers may not write.
	return errors.Join(s.reader.Close(), s.writer.Close())
}
