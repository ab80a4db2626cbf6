package history

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rollbackbot/runbook"
)

// Chronicle gives the histories of apps. It reads each journal once, and then only what is new: a journal has a hundred
// thousand events after a few years, and is asked in the middle of an outage. What it remembers is never relied on alone:
// every question reads on from the last event that it knows, which must still be the same one, since other processes append
// too and a database may be restored.
//
// The zero Chronicle is ready, and a nil one remembers nothing. It may be used by several goroutines, and must not be
// copied.
type Chronicle struct {
	// Memos keeps histories for processes that live shortly; nil: none. Read and Keep say what this process does with them.
	Memos Memos
	Read  bool // begins with what is kept there, the latest (Recent): for showing it alone, since the hash chain doesn't cover it
	Keep  bool // keeps there what took long to read
	// Problem gets what went wrong with a memo, which is no reason not to answer; may be nil.
	Problem func(app string, err error)

	mu       sync.Mutex
	chapters map[string]*chapter
}

// chapter is one app's history as far as it is known.
type chapter struct {
	mu      sync.Mutex
	history History
	place   runbook.Place
	unkept  int // how many events were read since it was kept
}

// keepAfter is how many events more than what is kept are read before the history is kept anew: so many take a few
// milliseconds to read, with the others between them.
const keepAfter = 100

// History is what the journal knows of an app's releases and rollbacks now. An event of a kind that this version does not
// know is an error, as for Events.
func (c *Chronicle) History(ctx context.Context, j runbook.Journal, app string) (History, error) {
	if c == nil {
		c = &Chronicle{}
	}
	ch := c.chapter(app)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.place == (runbook.Place{}) && c.Read {
		c.recall(ctx, app, ch)
	}
	events, err := j.Since(ctx, app, ch.place, historyKinds...)
	if errors.Is(err, runbook.ErrOtherChain) || err == nil && ch.history.leavesOut(events) {
		ch.history, ch.place, ch.unkept = History{}, runbook.Place{}, 0
		events, err = j.Since(ctx, app, ch.place, historyKinds...)
	}
	if err != nil {
		return History{}, fmt.Errorf("read the history of %s: %w", app, err)
	}
	if len(events) == 0 {
		return ch.history, nil
	}
	last := events[len(events)-1]
	ch.history, ch.place = ch.history.then(events), runbook.Place{Seq: last.Seq, Hash: last.Hash}
	if ch.unkept += len(events); c.Keep && ch.unkept >= keepAfter {
		c.keep(ctx, app, ch)
	}
	return ch.history, nil
}

func (c *Chronicle) chapter(app string) *chapter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chapters == nil {
		c.chapters = map[string]*chapter{}
	}
	if c.chapters[app] == nil {
		c.chapters[app] = &chapter{}
	}
	return c.chapters[app]
}

// recall begins a chapter with what was kept, where that can be read.
func (c *Chronicle) recall(ctx context.Context, app string, ch *chapter) {
	memo, err := c.Memos.Memo(ctx, app, memoKind)
	if err == nil && memo.Body != "" {
		var history History
		if history, err = decodeHistory(memo.Body); err == nil {
			ch.history, ch.place = history, memo.Place
		}
	}
	c.report(app, err)
}

func (c *Chronicle) keep(ctx context.Context, app string, ch *chapter) {
	err := c.Memos.KeepMemo(ctx, app, Memo{Kind: memoKind, Place: ch.place, Body: ch.history.encode()})
	if err == nil {
		ch.unkept = 0
	}
	c.report(app, err)
}

func (c *Chronicle) report(app string, err error) {
	if err != nil && c.Problem != nil {
		c.Problem(app, err)
	}
}

// CheckMemo gives an error where what is kept of an app's history is not what the journal says of it: it was changed by
// other means. One of another chain, or of another version, is never used and so none.
func CheckMemo(ctx context.Context, j runbook.Journal, m Memos, app string) error {
	memo, err := m.Memo(ctx, app, memoKind)
	if err != nil || memo.Body == "" {
		return err
	}
	events, err := j.Since(ctx, app, runbook.Place{}, historyKinds...)
	if err != nil {
		return err
	}
	var until []runbook.Event
	for _, event := range events {
		if event.Seq <= memo.Place.Seq {
			until = append(until, event)
		}
	}
	same := len(until) > 0 && until[len(until)-1].Hash == memo.Place.Hash
	if same && New(until).encode() != memo.Body {
		return fmt.Errorf("what is kept beside the journal of %s for `history` is not what its events say: it was changed by other means than this program; "+
			"nothing was decided on it, and `DELETE FROM memos` takes it away", app)
	}
	return nil
}
