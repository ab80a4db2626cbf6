package bot

import (
	"strings"
	"time"

	"rollbackbot/runbook"
)

// stepOrder is the runbook's.
var stepOrder = []runbook.StepName{
	runbook.StepIdentify, runbook.StepFetch, runbook.StepPin, runbook.StepDeploy,
	runbook.StepHealth, runbook.StepErrorRate, runbook.StepMigration,
}

// verdictWords are a finished step's verdicts, each with a mark; the word says the same as the mark.
var verdictWords = map[runbook.Verdict]string{
	runbook.Passed:    "✓ done",
	runbook.Broken:    "✗ failed",
	runbook.Unknown:   "? not known",
	runbook.Changed:   "↻ something had changed",
	runbook.Undecided: "? a person has to tell",
	runbook.Stopped:   "■ stopped",
}

// stepPoints says of every step that has begun how it stands, and in one line which are left.
func stepPoints(rb runbook.Rollback, live runbook.Live, v view) [][]span {
	var points [][]span
	var left []string
	for _, name := range stepOrder {
		if run, begun := rb.Step(name); begun {
			points = append(points, stepPoint(rb, run, live, v))
		} else {
			left = append(left, name.Title())
		}
	}
	if len(left) > 0 {
		points = append(points, []span{bold("Not begun: "), words(strings.Join(left, " · "))})
	}
	return points
}

func stepPoint(rb runbook.Rollback, run runbook.StepRun, live runbook.Live, v view) []span {
	out := []span{bold(run.Step.Title() + ": ")}
	if run.EndedAt.IsZero() {
		return append(out, underWay(rb, run, live, v)...)
	}
	text := verdictWords[run.Verdict] + ", " + took(run.EndedAt.Sub(run.StartedAt))
	if run.Attempt > 1 {
		text += ", " + count(run.Attempt, "attempt")
	}
	if run.Detail != "" && run.Verdict != runbook.Passed {
		text += ": " + runbook.Truncate(run.Detail, 300)
	}
	return append(out, words(text))
}

// underWay is a step that runs now: for how long, where, and the last line that was printed there.
func underWay(rb runbook.Rollback, run runbook.StepRun, live runbook.Live, v view) []span {
	if rb.State == runbook.StateEnded {
		return []span{words("was under way when the rollback ended")}
	}
	elapsed := v.now.Sub(run.StartedAt)
	out := []span{words("… running for " + took(elapsed))}
	if limit := waitOf(run.Step, v.app); limit > 0 {
		out = append(out, words(" of "+took(limit)), span{text: " " + bar(elapsed, limit), seen: true})
	}
	if live.Host != "" {
		out = append(out, words(" on "), code(string(live.Host)))
	}
	if live.Line != "" {
		out = append(out, words(": "), code(runbook.Truncate(oneLine(live.Line), 200)))
	}
	return out
}

// waitOf is how long a step that only waits may take; 0 for those that work.
func waitOf(step runbook.StepName, app runbook.App) time.Duration {
	switch step {
	case runbook.StepHealth:
		return app.Health.Budget()
	case runbook.StepErrorRate:
		return app.ErrorRate.Window
	}
	return 0
}

const barLength = 10

// bar shows how much of a wait is over.
func bar(elapsed, limit time.Duration) string {
	full := int(min(max(elapsed, 0), limit) * barLength / limit)
	return strings.Repeat("▓", full) + strings.Repeat("░", barLength-full)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
