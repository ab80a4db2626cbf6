package watch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

const (
	// examineFirst is how long after its start a process examines at the earliest: the observer has looked by then. As
	// long later it tries again where a rollback is under way.
	examineFirst    = 10 * time.Minute
	examineInterval = 24 * time.Hour
	// examineAgain is how long trouble has to last before anybody is told: a host restarts, a network breaks for a moment.
	examineAgain = 5 * time.Minute

	maxExamined      = 20
	maxExaminedRunes = 400
)

// DailyDoctor does a checkup once a day, and has the channel told when something would not work, when that is something
// else than before, and when all is well again. When it was done last is read from the journal, so that neither a restart
// nor another replica repeats it.
type DailyDoctor struct {
	Apps    []runbook.App // none: nothing is done
	Journal runbook.Journal
	Look    func(context.Context) []runbook.Finding // bounded, as a Checkup is
	// Report gets every event after it was written, News is told where the channel may have to be told, and Problem gets what
	// went wrong and is tried again. Any may be nil.
	Report  func(runbook.Event)
	News    func()
	Problem func(error)
}

// Run runs until ctx ends.
func (d DailyDoctor) Run(ctx context.Context) {
	if len(d.Apps) == 0 || parallel.Pause(ctx, examineFirst) != nil {
		return
	}
	for {
		wait, err := d.examineWhenDue(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if d.Problem != nil {
				d.Problem(fmt.Errorf("do the daily checkup: %w", err))
			}
			wait = examineFirst
		}
		if parallel.Pause(ctx, wait) != nil {
			return
		}
	}
}

// examineWhenDue gives how long to wait for the next time.
func (d DailyDoctor) examineWhenDue(ctx context.Context) (time.Duration, error) {
	last, err := d.lastExamined(ctx)
	if err != nil {
		return 0, err
	}
	if wait := time.Until(last.at.Add(examineInterval)); wait > 0 {
		return min(wait, examineInterval), nil // a clock that was wrong once silences no later day
	}
	fact, done, err := d.examine(ctx, last)
	if err != nil || !done {
		return examineFirst, err
	}
	events, err := d.Journal.Append(ctx, runbook.Entry{App: d.Apps[0].Name, At: time.Now().UTC(), Facts: []runbook.Fact{fact}})
	for _, event := range events {
		if d.Report != nil {
			d.Report(event)
		}
	}
	if err != nil {
		return 0, err
	}
	if fact.Notice != "" && d.News != nil {
		d.News()
	}
	return examineInterval, nil
}

// examine looks, and looks again where what is wrong would be news. Nothing is done where a rollback is under way, or
// began in the meantime: it holds locks and changes what is looked at.
func (d DailyDoctor) examine(ctx context.Context, last lastExamined) (runbook.Examined, bool, error) {
	if busy, err := d.anyOpen(ctx); busy || err != nil {
		return runbook.Examined{}, false, err
	}
	wrong := troubles(d.Look(ctx))
	if len(wrong) > 0 && !alike(wrong, last.wrong) {
		if err := parallel.Pause(ctx, examineAgain); err != nil {
			return runbook.Examined{}, false, err
		}
		if busy, err := d.anyOpen(ctx); busy || err != nil {
			return runbook.Examined{}, false, err
		}
		wrong = lasting(wrong, troubles(d.Look(ctx)))
	}
	if ctx.Err() != nil {
		return runbook.Examined{}, false, ctx.Err() // what didn't answer to somebody who hung up is not wrong
	}
	if busy, err := d.anyOpen(ctx); busy || err != nil {
		return runbook.Examined{}, false, err
	}
	// Another process may have taken over while this one looked, and have done it.
	if now, err := d.lastExamined(ctx); err != nil || !now.at.Equal(last.at) {
		return runbook.Examined{}, false, err
	}
	return last.then(wrong), true, nil
}

func (d DailyDoctor) anyOpen(ctx context.Context) (bool, error) {
	for _, app := range d.Apps {
		if open, err := d.Journal.Open(ctx, app.Name); err != nil || open != "" {
			return open != "", err
		}
	}
	return false, nil
}

// lastExamined is what the journals say of the checkups so far.
type lastExamined struct {
	at    time.Time         // zero: there was none
	wrong []runbook.Trouble // as it was last told
	more  int
	told  int // how often there was something to tell
}

// lastExamined reads all apps' chains: the fact stands in the chain of whichever app was configured first at that time.
func (d DailyDoctor) lastExamined(ctx context.Context) (lastExamined, error) {
	var last lastExamined
	apps, err := d.Journal.Apps(ctx)
	if err != nil {
		return last, err
	}
	var all []runbook.Event
	for _, app := range apps {
		events, err := d.Journal.Since(ctx, app, runbook.Place{}, runbook.Examined{}.Kind())
		if err != nil {
			return last, err
		}
		all = append(all, events...)
	}
	slices.SortStableFunc(all, func(a, b runbook.Event) int { return a.At.Compare(b.At) })
	for _, event := range all {
		fact, ok := event.Fact.(runbook.Examined)
		if !ok {
			continue
		}
		last.at = event.At
		if fact.Notice != "" {
			last.wrong, last.more = fact.Wrong, fact.More
			last.told++
		}
	}
	return last, nil
}

// then is the fact of a checkup that comes after. Its key follows from what was told before and what is told now: two
// processes that both hold themselves for the one that acts tell one thing, not two. The keys sort as the facts came.
func (l lastExamined) then(wrong []runbook.Trouble) runbook.Examined {
	more := max(0, len(wrong)-maxExamined)
	wrong = wrong[:min(len(wrong), maxExamined)]
	if alike(wrong, l.wrong) && (more > 0) == (l.more > 0) {
		return runbook.Examined{}
	}
	sum := sha256.Sum256([]byte(pictureOf(wrong)))
	return runbook.Examined{Notice: fmt.Sprintf("checkup-%06d-%s", l.told+1, hex.EncodeToString(sum[:6])), Wrong: wrong, More: more}
}

// troubles are what would not work, once each, sorted, within the journal's bounds, and without secrets.
func troubles(findings []runbook.Finding) []runbook.Trouble {
	var all []runbook.Trouble
	bounded := func(text string) string { return runbook.Truncate(runbook.Mask(text), maxExaminedRunes) }
	for _, f := range findings {
		if f.Mark == runbook.Wrong {
			all = append(all, runbook.Trouble{About: bounded(f.About), Seen: bounded(f.Seen), Remedy: bounded(f.Remedy)})
		}
	}
	slices.SortFunc(all, func(a, b runbook.Trouble) int {
		return cmp.Or(strings.Compare(a.About, b.About), strings.Compare(a.Seen, b.Seen), strings.Compare(a.Remedy, b.Remedy))
	})
	return slices.Compact(all)
}

// lasting are those of the later troubles that were there before, be it for another reason.
func lasting(before, now []runbook.Trouble) []runbook.Trouble {
	return slices.DeleteFunc(now, func(t runbook.Trouble) bool {
		return !slices.ContainsFunc(before, func(b runbook.Trouble) bool { return b.About == t.About })
	})
}

// alike reports whether two lists tell a person the same.
func alike(a, b []runbook.Trouble) bool {
	return pictureOf(a[:min(len(a), maxExamined)]) == pictureOf(b[:min(len(b), maxExamined)])
}

// measured are numbers with their units. They differ from day to day where nothing else does: seconds, megabytes, ports.
var measured = regexp.MustCompile(`([0-9][0-9.,:]*[a-zµ%]{0,3})+`)

// pictureOf is all that troubles are compared by.
func pictureOf(troubles []runbook.Trouble) string {
	var lines []string
	for _, t := range troubles {
		lines = append(lines, fmt.Sprintf("%q %q", t.About, measured.ReplaceAllString(t.Seen, "#")))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}
