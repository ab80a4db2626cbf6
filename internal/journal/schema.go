package journal

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// migrations make the schema, one version after the other. A version that was released never changes: what comes
// later is a new element at the end.
var migrations = [][]string{
	{ // version 1
		// One row per app: its lock, the end of its chain, and who may write.
		`CREATE TABLE apps (
			app   TEXT   NOT NULL PRIMARY KEY,
			seq   BIGINT NOT NULL,
			head  TEXT   NOT NULL,
			epoch BIGINT NOT NULL
		)`,
		`CREATE TABLE events (
			app      TEXT   NOT NULL,
			seq      BIGINT NOT NULL,
			rollback TEXT   NOT NULL,
			epoch    BIGINT NOT NULL,
			at       BIGINT NOT NULL,
			kind     TEXT   NOT NULL,
			actor    TEXT   NOT NULL,
			cause    TEXT   NOT NULL,
			body     TEXT   NOT NULL,
			hash     TEXT   NOT NULL,
			PRIMARY KEY (app, seq)
		)`,
		`CREATE INDEX events_of_rollback ON events (app, rollback, seq)`,
		// Every rollback there ever was.
		`CREATE TABLE rollbacks (
			rollback TEXT NOT NULL PRIMARY KEY,
			app      TEXT NOT NULL
		)`,
		// One rollback per app at a time: the primary key says so, not a check before an insert.
		`CREATE TABLE open_rollbacks (
			app      TEXT NOT NULL PRIMARY KEY,
			rollback TEXT NOT NULL UNIQUE
		)`,
		// body is base64: what arrives need not be text that a TEXT column of every store takes.
		// done_at is NULL while the delivery is pending.
		`CREATE TABLE inbox (
			delivery TEXT   NOT NULL PRIMARY KEY,
			place    BIGINT NOT NULL UNIQUE,
			kind     TEXT   NOT NULL,
			body     TEXT   NOT NULL,
			at       BIGINT NOT NULL,
			done_at  BIGINT
		)`,
		`CREATE INDEX inbox_pending ON inbox (place) WHERE done_at IS NULL`,
		// The next place in the inbox. A row under a lock and not a sequence: numbers of a sequence are drawn in
		// another order than their transactions commit in.
		`CREATE TABLE inbox_places (taken BIGINT NOT NULL)`,
		`INSERT INTO inbox_places (taken) VALUES (0)`,
	},
	{ // version 2
		// The one row says whose turn it is to act, until when, in microseconds of the database's time; term is empty
		// when it is nobody's. server is the life of the server on which it was taken. SQLite has the kernel for this.
		`CREATE TABLE ownership (
			term     TEXT   NOT NULL,
			process  TEXT   NOT NULL,
			server   TEXT   NOT NULL,
			until_at BIGINT NOT NULL
		)`,
		`INSERT INTO ownership (term, process, server, until_at) VALUES ('', '', '', 0)`,
	},
	{ // version 3
		// What is asked most is made of some kinds of events: the history of releases, what is quarantined.
		`CREATE INDEX events_of_kind ON events (app, kind, seq)`,
		// What folds came to, so that they need not begin at the first event. Nothing is lost with it.
		`CREATE TABLE memos (
			app  TEXT   NOT NULL,
			kind TEXT   NOT NULL,
			seq  BIGINT NOT NULL,
			hash TEXT   NOT NULL,
			body TEXT   NOT NULL,
			PRIMARY KEY (app, kind)
		)`,
	},
}

// migrate brings the schema up to date. With mustExist it only looks: a command that reads must not upgrade a journal
// under a running bot of an older version.
func (s *Store) migrate(ctx context.Context, mustExist bool) error {
	var version int64
	err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		version, err = s.schemaVersion(ctx, tx)
		return err
	})
	known := int64(len(migrations))
	switch {
	case err != nil:
		return err
	case version > known:
		return newerSchema(version)
	case version == known:
		return nil
	case mustExist && version == 0:
		return fmt.Errorf("%w %s yet: `rollbackbot serve` or `rollbackbot deployed` creates it; or point ROLLBACK_DATABASE_URL at where it is", ErrNoJournal, s.dialect.here())
	case mustExist:
		return fmt.Errorf("its schema is %d, this version needs %d: start this version's `rollbackbot serve`, which upgrades it", version, known)
	}
	return s.upgrade(ctx)
}

func newerSchema(version int64) error {
	return fmt.Errorf("%w: its schema is %d, this version knows %d: use that version or a later one", ErrNewerSchema, version, len(migrations))
}

// upgrade applies what is missing, all of it or nothing. One process at a time does.
func (s *Store) upgrade(ctx context.Context) error {
	look := func(ctx context.Context, tx *sql.Tx) (bool, error) {
		if err := s.dialect.lockSchema(ctx, tx); err != nil {
			return false, err
		}
		version, err := s.schemaVersion(ctx, tx)
		return version == int64(len(migrations)), err
	}
	return s.certain(ctx, s.transact(ctx, s.upgrades, s.applyMissing), look)
}

// applyMissing reads the version again once it has the schema for itself: another process may have been faster, and of
// another version.
func (s *Store) applyMissing(ctx context.Context, tx *sql.Tx) error {
	if err := s.dialect.lockSchema(ctx, tx); err != nil {
		return err
	}
	version, err := s.schemaVersion(ctx, tx)
	switch {
	case err != nil:
		return err
	case version > int64(len(migrations)):
		return newerSchema(version)
	case version == 0:
		if _, err := tx.ExecContext(ctx, `CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, at BIGINT NOT NULL)`); err != nil {
			return err
		}
	}
	return applyFrom(ctx, tx, version)
}

// applyFrom applies the migrations after version.
func applyFrom(ctx context.Context, tx *sql.Tx, version int64) error {
	for ; version < int64(len(migrations)); version++ {
		for _, statement := range migrations[version] {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("upgrade the schema to %d: %w", version+1, err)
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version (version, at) VALUES ($1, $2)`, version+1, micros(time.Now())); err != nil {
			return err
		}
	}
	return nil
}

// schemaVersion is the newest migration applied; 0 for a database without any table. Another program's database is an
// error: its owner would not thank us for our tables.
func (s *Store) schemaVersion(ctx context.Context, tx *sql.Tx) (version int64, err error) {
	names, err := s.dialect.tables(ctx, tx)
	switch {
	case err != nil:
		return 0, err
	case len(names) == 0:
		return 0, nil
	case !slices.Contains(names, "schema_version") || !slices.Contains(names, "open_rollbacks"):
		return 0, fmt.Errorf("it is another program's database: point ROLLBACK_DATABASE_URL at the journal, or at %s", s.dialect.elsewhere())
	}
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_version`).Scan(&version)
	return version, err
}

// queryTexts gives the only column of a query's rows.
func queryTexts(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var texts []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

// queryText gives the only column of a query's only row, or "" when there is none.
func queryText(ctx context.Context, tx *sql.Tx, query string, args ...any) (string, error) {
	texts, err := queryTexts(ctx, tx, query, args...)
	if err != nil || len(texts) == 0 {
		return "", err
	}
	return texts[0], nil
}
