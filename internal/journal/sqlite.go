package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// busyTimeout is how long a writer waits for the writer of another process, whose transactions take
	// milliseconds. A context that ends earlier ends the wait.
	busyTimeout = 5 * time.Second
	// busyPause parts two attempts to begin a transaction.
	busyPause = 10 * time.Millisecond
	// readers is how many reads may be under way at once; more wait their turn. An export and a handful of
	// questions from Slack fit in.
	readers = 4
)

// openSQLite opens the file at path, which it creates unless mustExist. The file is made for its owner alone: the
// inbox and the journal hold what people wrote.
//
// Nothing connects yet, and the reader is to be the first: the writer's settings would change the file of another
// program.
func openSQLite(path string, mustExist bool) (opened, error) {
	real, err := touch(path, mustExist)
	if err != nil {
		return opened{}, openError(sqliteFile(path), err)
	}
	file := sqliteFile(real)
	there, err := file.watched()
	if err != nil {
		return opened{}, openError(file, err)
	}
	// WAL lets readers go on while somebody appends; FULL puts every commit on disk before it is reported.
	writer, err := sql.Open("sqlite", dsn(real, "_txlock", "immediate", "_journal_mode", "WAL", "_synchronous", "FULL"))
	if err != nil {
		return opened{}, openError(file, file.explain(err))
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", dsn(real, "_query_only", "1"))
	if err != nil {
		return opened{}, openError(file, errors.Join(file.explain(err), writer.Close()))
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return opened{dialect: file, writer: writer, reader: reader, there: there, patience: patience, upgrades: patience}, nil
}

// dsn is the driver's name for the file. mode=rw: SQLite itself never creates it, touch does.
func dsn(path string, pairs ...string) string {
	query := url.Values{
		"mode":          {"rw"},
		"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
	}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// touch sees that path is a file that can be read and written, creates it unless mustExist, and gives its real path:
// absolute and without links, so that two names of one journal share one lock.
func touch(path string, mustExist bool) (string, error) {
	flags := os.O_RDWR
	if !mustExist {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return "", explainFile(path, mustExist, err)
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// watched gives a check that the file is still the one that it is now. SQLite itself would go on writing into a file that
// was removed or replaced, and nobody would ever read that again.
func (f sqliteFile) watched() (there func() error, err error) {
	opened, err := os.Stat(string(f))
	if err != nil {
		return nil, err
	}
	return func() error {
		now, err := os.Stat(string(f))
		switch {
		case err != nil:
			return fmt.Errorf("the journal's file is gone: put it back, or restore it from a backup, and start this program again: %w", err)
		case !os.SameFile(opened, now):
			return fmt.Errorf("the journal's file %s was replaced by another one: start this program again to go on with that one", f)
		}
		return nil
	}, nil
}

func explainFile(path string, mustExist bool, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && mustExist:
		return fmt.Errorf("%w in this place yet: `rollbackbot serve` or `rollbackbot deployed` creates it; or point ROLLBACK_DATABASE_URL at where it is", ErrNoJournal)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: create it, or point ROLLBACK_DATABASE_URL elsewhere: %w", filepath.Dir(path), err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not read and write it: give user %d the file and its folder: %w", os.Getuid(), err)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("it is a folder: name a file in it: %w", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("it is on a read-only file system: point ROLLBACK_DATABASE_URL elsewhere: %w", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk is full: make room: %w", err)
	}
	return err
}

// sqliteFile is a journal in an SQLite file, by its path.
type sqliteFile string

var _ dialect = sqliteFile("")

func (f sqliteFile) String() string    { return string(f) }
func (f sqliteFile) here() string      { return "in this file" }
func (f sqliteFile) elsewhere() string { return "a file that is not there yet" }

func (f sqliteFile) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return queryTexts(ctx, tx, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
}

// lockSchema has nothing to do: a transaction that writes is alone from its BEGIN IMMEDIATE on.
func (f sqliteFile) lockSchema(context.Context, *sql.Tx) error { return nil }

// writable has nothing to do either: BEGIN IMMEDIATE fails on what can't be written.
func (f sqliteFile) writable(context.Context, *sql.Tx) error { return nil }

// announce has nobody to tell: a journal in a file has one bot, which knows what it stored itself.
func (f sqliteFile) announce(context.Context, *sql.Tx) error { return nil }

// uncertain: SQLite rolls back what it could not commit, but after an I/O error its log may hold the commit or not.
func (f sqliteFile) uncertain(err error) bool {
	var fault *sqlite.Error
	return errors.As(err, &fault) && fault.Code()&primaryCode == sqlite3.SQLITE_IOERR
}

// primaryCode masks SQLite's primary error code; the other bits refine it.
const primaryCode = 0xff

func (f sqliteFile) fault(err error) bool {
	var fault *sqlite.Error
	return errors.As(err, &fault)
}

func (f sqliteFile) busy(err error) bool {
	var fault *sqlite.Error
	return errors.As(err, &fault) && fault.Code()&primaryCode == sqlite3.SQLITE_BUSY
}

func (f sqliteFile) explain(err error) error {
	var fault *sqlite.Error
	if !errors.As(err, &fault) {
		return err
	}
	switch fault.Code() & primaryCode {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("another process has kept the journal locked for %s: see which process has the file open: %w", busyTimeout, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("the disk of the journal is full: make room: %w", err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file is not an SQLite database: point ROLLBACK_DATABASE_URL at the journal, or at a file that is not there yet: %w", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the journal's file is damaged: stop every process that uses it and restore it from a backup: %w", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("the journal can't be written: give this user the file and its folder, where SQLite keeps two more files beside it: %w", err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("the disk of the journal reports an error: see the machine's kernel log: %w", err)
	}
	return err
}
