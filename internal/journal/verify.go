package journal

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"

	"rollbackbot/runbook"
)

// BrokenError says where an app's chain is broken first, and how that shows.
type BrokenError struct {
	App string
	Seq int64 // the first event that is not as it was written, or that is missing
	Why string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the journal of %s is broken at event %d: %s", e.App, e.Seq, e.Why)
}

func (e *BrokenError) Unwrap() error { return runbook.ErrBrokenJournal }

// Verify proves the app's chain from its first event to its head. A *BrokenError names the first event that was
// changed, removed, reordered or added by other means than Append, or, once the events are proven, what was kept beside
// them and does not fit: head, epoch, open rollback. An app without a chain is fine. Only comparing the Head with one
// that stands elsewhere, as in a record in Slack, tells a chain that was computed anew as a whole.
func (s *Store) Verify(ctx context.Context, app string) error {
	return s.verifyAfter(ctx, chain{app: app})
}

// verifyNew is Verify for whoever is about to act, while an outage lasts: what this process has proven before is not
// proven again.
func (s *Store) verifyNew(ctx context.Context, app string) error {
	return s.verifyAfter(ctx, s.proven.of(app))
}

func (s *Store) verifyAfter(ctx context.Context, c chain) error {
	kept, after := chain{app: c.app}, c.seq
	if after == 0 {
		after = beforeAll
	}
	err := s.each(ctx, c.app, "", after, c.next, func(ctx context.Context, tx *sql.Tx) (err error) {
		kept, err = keptOf(ctx, tx, c.app)
		return err
	})
	if err == nil {
		err = c.compare(kept)
	}
	if err != nil {
		return fmt.Errorf("verify the journal: %w", err)
	}
	s.proven.keep(c)
	return nil
}

// provenChains are the chains that this process has proven, each as far as it did. The zero value has none.
type provenChains struct {
	mu     sync.Mutex
	chains map[string]chain
}

func (p *provenChains) of(app string) chain {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.chains[app]; ok {
		return c
	}
	return chain{app: app}
}

func (p *provenChains) keep(c chain) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chains == nil {
		p.chains = map[string]chain{}
	}
	p.chains[c.app] = c
}

// keptOf is what the database keeps beside the app's events.
func keptOf(ctx context.Context, tx *sql.Tx, app string) (kept chain, err error) {
	kept.app = app
	row := tx.QueryRowContext(ctx, `SELECT seq, head, epoch FROM apps WHERE app = $1`, app)
	if err := row.Scan(&kept.seq, &kept.head, &kept.epoch); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return chain{}, err
	}
	kept.open, err = openRollback(ctx, tx, app)
	return kept, err
}

// Head is the hash of the app's last event; "" when it has none.
func (s *Store) Head(ctx context.Context, app string) (head string, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		head, err = queryText(ctx, tx, `SELECT head FROM apps WHERE app = $1`, app)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the head of the journal of %s: %w", app, err)
	}
	return head, nil
}

// VerifyExport proves what Export wrote, away from the database, and gives the head of every app in it. Lines of
// several apps may be mixed. A *BrokenError names the first broken link; other errors name the line.
func VerifyExport(r io.Reader) (heads map[string]string, err error) {
	chains := map[string]*chain{}
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, readErr := in.ReadBytes('\n')
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return nil, readErr
		}
		if readErr != nil && len(line) == 0 {
			return headsOf(chains), nil
		}
		if err := verifyLine(chains, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
}

func headsOf(chains map[string]*chain) map[string]string {
	heads := make(map[string]string, len(chains))
	for app, c := range chains {
		heads[app] = c.head
	}
	return heads
}

func verifyLine(chains map[string]*chain, line []byte) error {
	r, hash, err := parseLine(line)
	if err != nil {
		return err
	}
	c, ok := chains[r.app]
	if !ok {
		c = &chain{app: r.app}
		chains[r.app] = c
	}
	return c.next(r, hash)
}

// chain is what an app's events add up to so far, and what the database keeps beside them.
type chain struct {
	app   string
	seq   int64
	head  string
	epoch int64  // the highest seen
	open  string // the rollback that has not ended
}

// next checks one more event.
func (c *chain) next(r record, hash string) error {
	switch want := c.seq + 1; {
	case r.seq > want:
		return c.broken(want, "it is missing")
	case r.seq < want:
		return c.broken(r.seq, "it stands where it can't: it was added or its number was changed")
	case r.link(c.head) != hash:
		return c.broken(r.seq, "its hash is not that of its content after the event before it: it was changed, exchanged or added")
	}
	c.seq, c.head, c.epoch = r.seq, hash, max(c.epoch, r.epoch)
	switch r.kind {
	case kindRequested:
		c.open = r.rollback
	case kindEnded:
		c.open = ""
	}
	return nil
}

// compare checks what the database keeps beside the events against what they add up to.
func (c *chain) compare(kept chain) error {
	switch {
	case kept.seq > c.seq:
		return c.broken(c.seq+1, fmt.Sprintf("it is missing: the chain had %d events", kept.seq))
	case kept.seq < c.seq:
		return c.broken(kept.seq+1, "it is beyond the end of the chain: it was added, or the end was changed")
	case kept.head != c.head:
		return c.broken(c.seq, "its hash is not the head of the chain: one of the two was changed")
	case kept.epoch < c.epoch:
		return c.broken(c.seq, fmt.Sprintf("the app's epoch is %d, but an event has %d: the epoch was changed", kept.epoch, c.epoch))
	case kept.open != c.open:
		return c.broken(c.seq, fmt.Sprintf("by its events the app has %s open, by the list of open rollbacks %s: the list was changed", orNone(c.open), orNone(kept.open)))
	}
	return nil
}

func (c *chain) broken(seq int64, why string) error {
	return &BrokenError{App: c.app, Seq: seq, Why: why}
}

func orNone(rollback string) string {
	if rollback == "" {
		return "no rollback"
	}
	return rollback
}
