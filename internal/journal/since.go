package journal

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"rollbackbot/runbook"
)

// Since gives the app's events of those kinds after a place that the caller knows, oldest first. runbook.ErrOtherChain
// where the event that stands in that place is another one by now, or none does. What it takes grows with the events of
// these kinds after the place, however long the journal is.
func (s *Store) Since(ctx context.Context, app string, after runbook.Place, kinds ...string) ([]runbook.Event, error) {
	events, err := s.since(ctx, app, after, kinds)
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", app, err)
	}
	return events, nil
}

// since reads up to where the chain ends when it begins: events get their numbers in the order in which they are
// committed, so that none before that one comes later, in however many transactions the kinds are read.
func (s *Store) since(ctx context.Context, app string, after runbook.Place, kinds []string) (events []runbook.Event, err error) {
	var end int64
	var page []linked
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if end, err = readable(ctx, tx, app, after); err != nil || end-after.Seq > pageSize {
			return err
		}
		page, err = readRecords(ctx, tx, selectEvents+` WHERE app = $1 AND seq > $2 AND seq <= $3 ORDER BY seq`, app, after.Seq, end)
		return err
	})
	if err != nil {
		return nil, err
	}
	if end-after.Seq > pageSize {
		return s.sinceByKind(ctx, app, after.Seq, end, kinds)
	}
	for _, l := range page {
		if !slices.Contains(kinds, l.kind) {
			continue
		}
		event, err := l.event(l.hash)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}

// sinceByKind reads a long part of a chain, one kind after the other, each by its index: asked for several at once in the
// order of the chain, SQLite would go through all events.
func (s *Store) sinceByKind(ctx context.Context, app string, after, end int64, kinds []string) (events []runbook.Event, err error) {
	for _, kind := range kinds {
		for from, last := after, false; !last; {
			var page []linked
			err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
				page, err = readRecords(ctx, tx, selectEvents+` WHERE app = $1 AND kind = $2 AND seq > $3 AND seq <= $4 ORDER BY kind, seq LIMIT $5`, app, kind, from, end, pageSize)
				return err
			})
			if err != nil {
				return nil, err
			}
			for _, l := range page {
				event, err := l.event(l.hash)
				if err != nil {
					return nil, err
				}
				events, from = append(events, event), l.seq
			}
			last = len(page) < pageSize
		}
	}
	slices.SortFunc(events, func(a, b runbook.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events, nil
}

// readable gives the place of the app's last event, after it has looked whether the event in a place is the one that was
// there, and whether every event is of a kind that this version knows: it must not go on as if others were not there.
func readable(ctx context.Context, tx *sql.Tx, app string, place runbook.Place) (end int64, err error) {
	if place != (runbook.Place{}) {
		if err := stands(ctx, tx, app, place); err != nil {
			return 0, err
		}
	}
	// One look into the index for each kind, and not for each event.
	kinds, err := queryTexts(ctx, tx, `WITH RECURSIVE kinds(kind) AS (
			SELECT MIN(kind) FROM events WHERE app = $1
			UNION ALL
			SELECT (SELECT MIN(kind) FROM events WHERE app = $1 AND kind > kinds.kind) FROM kinds WHERE kinds.kind IS NOT NULL
		) SELECT kind FROM kinds WHERE kind IS NOT NULL`, app)
	if err != nil {
		return 0, err
	}
	for _, kind := range kinds {
		if !runbook.KnownKind(kind) {
			_, err := runbook.DecodeFact(kind, nil)
			return 0, err
		}
	}
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM events WHERE app = $1`, app).Scan(&end)
	return end, err
}

// stands looks whether an event is where it was.
func stands(ctx context.Context, tx *sql.Tx, app string, place runbook.Place) error {
	hash, err := queryText(ctx, tx, `SELECT hash FROM events WHERE app = $1 AND seq = $2`, app, place.Seq)
	if err == nil && hash != place.Hash {
		err = runbook.ErrOtherChain
	}
	return err
}
