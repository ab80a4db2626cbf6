package bot

import (
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

// standing is what a host runs, against the plan.
type standing string

const (
	onTarget standing = "on the target"
	onStart  standing = "on what it started from"
	onMixed  standing = "on a mixed set"
	unseen   standing = "unknown"
)

// standingOf compares what a host was last seen to run with the plan.
func standingOf(h runbook.HostPlan, state runbook.HostState) standing {
	if state.SeenAt.IsZero() || state.Problem != "" || len(state.Running) == 0 {
		return unseen
	}
	runs := map[string]runbook.Image{}
	for _, r := range state.Running {
		runs[r.Service] = r.Image
	}
	target, start := true, true
	for _, s := range h.Services {
		target = target && runs[s.Service] == s.To
		start = start && runs[s.Service] == s.From && !s.From.IsZero()
	}
	switch {
	case target:
		return onTarget
	case start:
		return onStart
	}
	return onMixed
}

// hostPoints says of every host what it runs now, or that it could not be seen.
func hostPoints(rb runbook.Rollback) [][]span {
	var points [][]span
	for _, h := range rb.Plan.Hosts {
		points = append(points, []span{bold(string(h.Host)), words(": " + hostText(rb, h))})
	}
	for _, e := range rb.Plan.Excluded {
		points = append(points, []span{bold(string(e.Host)), words(": left out of the plan, so not known: " + runbook.Truncate(e.Why, 200))})
	}
	return points
}

func hostText(rb runbook.Rollback, h runbook.HostPlan) string {
	state := rb.Hosts[h.Host]
	switch standingOf(h, state) {
	case onTarget:
		return "runs the target, " + targetName(rb.Plan) + troubles(state)
	case onStart:
		return "runs what it started from, " + fromName(rb.Plan) + troubles(state)
	case onMixed:
		return "runs a mixed set: " + runningText(state) + troubles(state)
	}
	switch {
	case state.Problem != "":
		return "could not be seen: " + runbook.Truncate(state.Problem, 200)
	case state.SeenAt.IsZero() && state.UpStarted:
		return "not known: its containers may have been replaced, and it was not seen since"
	case state.SeenAt.IsZero():
		return "was not looked at since the plan was made; then it ran " + fromName(rb.Plan)
	}
	return "not known: no container was seen there"
}

func runningText(state runbook.HostState) string {
	var parts []string
	for _, r := range state.Running {
		text := r.Image.Digest.Short()
		if r.Image.IsZero() {
			text = "not known" + bracketed(r.Note)
		}
		parts = append(parts, r.Service+" "+text)
	}
	return runbook.Truncate(strings.Join(parts, ", "), 300)
}

// troubles names containers that do not simply run.
func troubles(state runbook.HostState) string {
	var parts []string
	for _, r := range state.Running {
		if r.State != "" {
			parts = append(parts, fmt.Sprintf("a container of %s is %s", r.Service, r.State))
		}
		if r.Health != "" {
			parts = append(parts, fmt.Sprintf("a container of %s is %s", r.Service, r.Health))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + runbook.Truncate(strings.Join(parts, ", "), 300)
}

func bracketed(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
