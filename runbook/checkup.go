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

// Sound reports whether nothing was found that would not work.
func Sound(findings []Finding) bool {
	for _, f := range findings {
		if f.Mark == Wrong {
			return false
		}
	}
	return true
}

// clockTolerance is how far a host's clock may be from the bot's: half of the minute in which a lease on a host runs out.
const clockTolerance = 30 * time.Second

// ClockFinding judges a clock that was read between two instants of ours.
func ClockFinding(about string, clock, asked, answered time.Time) Finding {
	return ClockOffFinding(about, max(0, asked.Sub(clock), clock.Sub(answered)))
}

// ClockOffFinding judges by how much a clock differs from ours.
func ClockOffFinding(about string, off time.Duration) Finding {
	if off > clockTolerance {
		return FoundWrong(about, "Switch NTP on where the clock is wrong: timedatectl set-ntp true", "it is %s away from the bot's own", off.Round(time.Second))
	}
	return FoundFine(about, "within %s of the bot's own", clockTolerance)
}
