package runbook

import (
	"context"
	"fmt"
	"time"
)

// Mark says what came of looking at one thing that a rollback needs.
type Mark string

// The marks. Only what was seen is fine.
const (
	Fine      Mark = "fine"
	Wrong     Mark = "WRONG"
	Unchecked Mark = "not checked"
)

// Finding is one line of a checkup.
type Finding struct {
	About  string // what was looked at: "scopes", "shop on deploy@web-1"
	Mark   Mark
	Seen   string // what was seen, or why nothing was: without a full stop; masked by Checkup
	Remedy string // what mends it, where it is Wrong: without a full stop
}

// String is the finding in one line.
func (f Finding) String() string {
	text := string(f.Mark) + ": " + f.About + ": " + f.Seen
	if f.Remedy != "" {
		text += ". " + f.Remedy
	}
	return text
}

// FoundFine, FoundWrong and NotChecked make findings.
func FoundFine(about, format string, args ...any) Finding {
	return Finding{About: about, Mark: Fine, Seen: fmt.Sprintf(format, args...)}
}

// FoundWrong says what would not work, and what mends it.
func FoundWrong(about, remedy, format string, args ...any) Finding {
	return Finding{About: about, Mark: Wrong, Seen: fmt.Sprintf(format, args...), Remedy: remedy}
}

// NotChecked says what could not be looked at, and why.
func NotChecked(about, format string, args ...any) Finding {
	return Finding{About: about, Mark: Unchecked, Seen: fmt.Sprintf(format, args...)}
}

// Check looks at one thing that a rollback needs, and changes nothing. Each adapter has its own.
type Check struct {
	About string
	Run   func(context.Context) []Finding
}

// CheckupTimeout bounds a whole checkup: the preflight's 30 s, and as much again, since its host part is a preflight.
const CheckupTimeout = 2 * preflightTimeout

// Checkup runs all checks at once and gives what they found, in their order. A check that hangs or panics is a finding
// of its own and stops no other: one that doesn't heed its context is left behind.
func Checkup(ctx context.Context, limit time.Duration, checks []Check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answers := make([]chan []Finding, len(checks))
	for i, check := range checks {
		answers[i] = make(chan []Finding, 1)
		go func() { answers[i] <- foundBy(ctx, check) }()
	}
	var all []Finding
	for i, check := range checks {
		select {
		case found := <-answers[i]:
			all = append(all, found...)
			continue
		default:
		}
		select {
		case found := <-answers[i]:
			all = append(all, found...)
		case <-ctx.Done():
			all = append(all, FoundWrong(check.About, "See by hand what is slow there", "it did not answer within %s", limit))
		}
	}
	for i := range all {
		all[i].Seen, all[i].Remedy = Mask(all[i].Seen), Mask(all[i].Remedy)
	}
	return all
}

// foundBy is what a check finds, its panic included. What panicked isn't quoted: it may hold anything.
func foundBy(ctx context.Context, c Check) (found []Finding) {
	defer func() {
		if recover() != nil {
			found = []Finding{FoundWrong(c.About, "This is a defect of the bot, please report it", "the check itself failed, so nothing is known of it")}
		}
	}()
	if found = c.Run(ctx); len(found) == 0 {
		found = []Finding{NotChecked(c.About, "the check said nothing")}
	}
	return found
}

// Sound reports whether nothing was found that would not work.
func Sound(findings []Finding) bool {
	for _, f := range findings {
		if f.Mark == Wrong {
			return false
		}
	}
	return true
}
