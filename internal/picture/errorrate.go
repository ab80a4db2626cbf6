// Package picture draws what a rollback did to the error rate, as a PNG for its thread.
//
// The time axis has three parts, each on a scale of its own: the hour before the failed release came up, the time that it
// ran, and the window after the rollback. On one scale the window, which is what one looks for, would be a few pixels wide.
// The card is white with dark ink and a grey edge, so that it reads the same on a light and on a dark theme. Letters are
// large: on a phone Slack shows it about 340 points wide.
package picture

import (
	"bytes"
	"fmt"
	"image/png"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// part is a stretch of the time axis with what was read in it.
type part struct {
	name        string // what it is, for its caption
	from, until time.Time
	end         string // of what something happened at its end
	happened    string // and what
	samples     []runbook.Sample
	left, right float64 // where it stands, in pixels
}

func (p part) length() time.Duration { return p.until.Sub(p.from) }

// shares are how much of the width each kind of part gets, beside the others.
const (
	shareBefore = 28
	shareDuring = 38
	shareAfter  = 34
)

// ErrorRate draws the error rate that a run of the step was judged by, and says in words what it shows. The run has a
// judgement with a curve.
func ErrorRate(rb runbook.Rollback, run runbook.StepRun) (content []byte, alt string, err error) {
	c, err := newCanvas()
	if err != nil {
		return nil, "", err
	}
	parts := partsOf(rb, run)
	c.card(titleOf(rb, run))
	c.plot(parts, *run.Rate, rb.Baseline)
	var out bytes.Buffer
	if err := png.Encode(&out, c.image); err != nil {
		return nil, "", fmt.Errorf("encode the picture: %w", err)
	}
	return out.Bytes(), altOf(rb, run, parts), nil
}

var titles = map[runbook.RateVerdict]string{
	runbook.RateBack:     "error rate back at its baseline",
	runbook.RateElevated: "error rate still elevated",
	runbook.RateNoData:   "error rate not judged",
}

func titleOf(rb runbook.Rollback, run runbook.StepRun) string {
	return runbook.Truncate(rb.App, 14) + ": " + titles[run.Rate.Verdict]
}

// partsOf cuts the time axis at the moments that are known, and leaves out what has no length.
func partsOf(rb runbook.Rollback, run runbook.StepRun) []part {
	curve := run.Rate.Curve
	first, now := curve[0].At, run.EndedAt
	rolledBack := min(upAt(rb, run).UnixNano(), now.UnixNano())
	up := time.Unix(0, rolledBack).UTC()
	failed := runbook.Truncate(orElse(rb.Plan.Running, "failed"), maxName)
	target := runbook.Truncate(rb.Plan.Target.Name(), maxName)
	if run.Direction == runbook.Forward {
		target = failed
	}
	var parts []part
	if b := rb.Baseline; b != nil && first.Before(b.Until) && b.Until.Before(up) {
		parts = append(parts, part{name: "before", from: first, until: b.Until, end: failed, happened: " up"},
			part{name: failed, from: b.Until, until: up, end: target, happened: " up"})
	} else if first.Before(up) {
		parts = append(parts, part{name: "before", from: first, until: up, end: target, happened: " up"})
	}
	if up.Before(now) {
		parts = append(parts, part{name: target, from: up, until: now, end: "now"})
	}
	for i := range parts {
		for _, s := range curve {
			if !s.At.Before(parts[i].from) && (s.At.Before(parts[i].until) || i == len(parts)-1) {
				parts[i].samples = append(parts[i].samples, s)
			}
		}
	}
	return parts
}

// maxName is how much of a release's name the alt text has, in characters: CI makes it, of any length.
const maxName = 40

// upAt is when the containers of a run's direction were replaced.
func upAt(rb runbook.Rollback, run runbook.StepRun) time.Time {
	for _, other := range slices.Backward(rb.Steps) {
		if other.Step == runbook.StepDeploy && other.Direction == run.Direction && !other.EndedAt.IsZero() && !other.EndedAt.After(run.StartedAt) {
			return other.EndedAt.UTC()
		}
	}
	return run.StartedAt.UTC()
}

// altOf says the picture's values in words.
func altOf(rb runbook.Rollback, run runbook.StepRun, parts []part) string {
	var said []string
	for _, p := range parts {
		text := fmt.Sprintf("%s, %s until %s (%s)", p.name, clock(p, p.from, run.EndedAt), clock(p, p.until, run.EndedAt), p.end+p.happened)
		if len(p.samples) == 0 {
			said = append(said, text+": nothing was read")
			continue
		}
		least, most := p.samples[0].Rate, p.samples[0].Rate
		for _, s := range p.samples {
			least, most = min(least, s.Rate), max(most, s.Rate)
		}
		said = append(said, text+": from "+runbook.Percent(least)+" to "+runbook.Percent(most))
	}
	text := "Curve of the error rate of " + rb.App + ". " + strings.Join(said, "; ") + ". In the end " + run.Rate.Describe(rb.Baseline) + "; the floor is " + runbook.Percent(run.Rate.Floor) + "."
	return runbook.Truncate(text, maxAlt)
}

// maxAlt is Slack's limit for an image block's alt text, in characters:
// https://docs.slack.dev/reference/block-kit/blocks/image-block
const maxAlt = 2000

// clock is an instant of a part in UTC: with seconds where they matter, with the day where it is another than now's.
func clock(p part, t, now time.Time) string {
	layout := "15:04"
	if p.length() < 5*time.Minute {
		layout = "15:04:05"
	}
	if t.UTC().Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		layout = "Jan 2 " + layout
	}
	return t.UTC().Format(layout)
}

// length is a length of time in its largest unit.
func length(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f d", d.Hours()/24)
	case d >= 90*time.Minute:
		return fmt.Sprintf("%.0f h", d.Hours())
	case d >= time.Hour:
		return "1 h"
	case d >= 90*time.Second:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d >= time.Minute:
		return "1 min"
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
