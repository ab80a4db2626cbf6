package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// Herald tells the channel what the journals have for it and what belongs to no rollback: each thing once, also when the
// process dies in the middle of that. As with a rollback's messages, the intent is journalled first, and a post whose
// fate is not known is looked for.
type Herald struct {
	journal   runbook.Journal
	announcer runbook.Announcer
	report    func(runbook.Event) // gets every event after it was written
	problem   func(error)         // gets what went wrong and is tried again
	// bulletins gives those that are not in their last state; an error comes with those that could be read.
	bulletins func(context.Context) ([]runbook.Bulletin, error)

	news   chan struct{}            // has something when a journal may have more to tell
	places map[string]runbook.Place // how far each app's journal was read
	untold map[string]*untold       // by the notice's key
	taken  map[string]bool          // the keys of the checkups that it has come upon
}

// untold is what is still to be told.
type untold struct {
	app      string // in whose chain it stands
	notice   runbook.Notice
	intended time.Time // zero: nobody tried yet
}

// toldKinds are the kinds of events that a herald reads.
var toldKinds = []string{runbook.Lifted{}.Kind(), runbook.Examined{}.Kind(), runbook.NoticeIntended{}.Kind(), runbook.NoticePosted{}.Kind()}

// bulletinInterval is how often a herald looks for bulletins though nobody woke it: also another process may write what
// makes or withdraws one. All else wakes the herald of the process that writes it, or is read at a start: two heralds for
// whom it is new at one instant would tell it twice.
const bulletinInterval = time.Minute

// NewHerald is one that has told nothing yet. report gets every event that it writes, problem what is tried again; bulletins
// gives what is to be told besides.
func NewHerald(j runbook.Journal, a runbook.Announcer, report func(runbook.Event), problem func(error), bulletins func(context.Context) ([]runbook.Bulletin, error)) *Herald {
	return &Herald{
		journal: j, announcer: a, report: report, problem: problem, bulletins: bulletins,
		news: make(chan struct{}, 1), places: map[string]runbook.Place{}, untold: map[string]*untold{}, taken: map[string]bool{},
	}
}

// Wake never waits.
func (h *Herald) Wake() {
	if h == nil {
		return // its Runner was not started: whoever acts tells it
	}
	select {
	case h.news <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Tell runs until ctx ends.
func (h *Herald) Tell(ctx context.Context) {
	round := h.round
	for wait := FirstRetry; ; {
		err := round(ctx)
		round = h.round
		if err == nil {
			wait = FirstRetry
			select {
			case <-ctx.Done():
				return
			case <-h.news:
			case <-time.After(bulletinInterval):
				round = h.tellBulletins
			}
			continue
		}
		if ctx.Err() != nil || errors.Is(err, runbook.ErrStaleEpoch) {
			return
		}
		h.problem(fmt.Errorf("tell the channel: %w", err))
		var retry *runbook.RetryError
		if errors.As(err, &retry) {
			wait = max(retry.After, FirstRetry)
		}
		if parallel.Pause(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, LastRetry)
	}
}

// round tells all that there is to tell now.
func (h *Herald) round(ctx context.Context) error {
	err := h.tellUntold(ctx)
	if ctx.Err() != nil || slowDown(err) {
		return err
	}
	return errors.Join(err, h.tellBulletins(ctx))
}

func (h *Herald) tellUntold(ctx context.Context) error {
	if err := h.read(ctx); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(h.untold)) {
		if err := h.post(ctx, key, h.untold[key]); err != nil {
			return err
		}
		delete(h.untold, key)
	}
	return nil
}

// read takes up what is new in the journals of all apps, also of those that are not configured any more.
func (h *Herald) read(ctx context.Context) error {
	apps, err := h.journal.Apps(ctx)
	if err != nil {
		return err
	}
	for _, app := range apps {
		events, err := h.journal.Since(ctx, app, h.places[app], toldKinds...)
		if errors.Is(err, runbook.ErrOtherChain) {
			delete(h.places, app)
			events, err = h.journal.Since(ctx, app, runbook.Place{}, toldKinds...)
		}
		if err != nil {
			return err
		}
		for _, event := range events {
			h.note(event)
			h.places[app] = runbook.Place{Seq: event.Seq, Hash: event.Hash}
		}
	}
	return nil
}

func (h *Herald) note(event runbook.Event) {
	switch fact := event.Fact.(type) {
	case runbook.Lifted:
		if fact.Notice != "" {
			h.untold[fact.Notice] = &untold{app: event.App, notice: runbook.Notice{
				Key: fact.Notice, Kind: runbook.NoticeLift, Lift: &runbook.Lift{App: event.App, Lifted: fact, At: event.At},
			}}
		}
	case runbook.Examined:
		if fact.Notice != "" && !h.taken[fact.Notice] { // two processes may have written the same
			h.taken[fact.Notice] = true
			h.untold[fact.Notice] = &untold{app: event.App, notice: runbook.Notice{
				Key: fact.Notice, Kind: runbook.NoticeCheckup, Checkup: &runbook.Examination{Examined: fact, At: event.At},
			}}
		}
	case runbook.NoticeIntended:
		if u := h.untold[fact.Key]; u != nil && event.Rollback == "" {
			u.intended = event.At
		}
	case runbook.NoticePosted:
		if event.Rollback == "" {
			delete(h.untold, fact.Key)
		}
	}
}

func (h *Herald) post(ctx context.Context, key string, u *untold) error {
	n := u.notice
	var at runbook.Post
	found := false
	var err error
	if u.intended.IsZero() {
		if err = h.append(ctx, u.app, runbook.NoticeIntended{Key: key}); err == nil {
			u.intended = time.Now()
		}
	} else {
		at, found, err = h.announcer.Find(ctx, n, u.intended)
	}
	if err == nil && !found {
		at, err = h.announcer.Post(ctx, n)
	}
	if err != nil {
		return err
	}
	return h.append(ctx, u.app, runbook.NoticePosted{Key: key, Channel: at.Channel, TS: at.TS})
}

func (h *Herald) append(ctx context.Context, app string, fact runbook.Fact) error {
	events, err := h.journal.Append(ctx, runbook.Entry{App: app, At: time.Now().UTC(), Facts: []runbook.Fact{fact}})
	for _, event := range events {
		h.report(event)
	}
	return err
}
