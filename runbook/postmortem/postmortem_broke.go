package postmortem

import (
	"cmp"
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

// broke is what the journal knows of the failure: what people said, what the hosts showed before anything was replaced,
// what went wrong on the way back, and what the failed containers had printed.
func (p postmortem) broke() string {
	parts := []string{"As it was said when the rollback was asked for:\n\n" + quoted(runbook.Truncate(runbook.Mask(cmp.Or(p.rb.Request.Reason, runbook.NotGiven)), 3000))}
	if seen := p.seenBefore(); len(seen) > 0 {
		parts = append(parts, "As the hosts showed it before anything was replaced:\n\n"+bullets(seen))
	} else {
		parts = append(parts, "Before anything was replaced, no container was seen restarted, stopped or unhealthy.")
	}
	if troubles := p.troubles(); len(troubles) > 0 {
		parts = append(parts, "What went wrong during the rollback itself:\n\n"+bullets(troubles))
	}
	parts = append(parts, p.logs(), "To be answered: What was the cause, and what in logs and metrics proves it? Who noticed it, and how many were affected?")
	return strings.Join(parts, "\n\n")
}

// seenBefore are the containers that were not well when the failed release still ran.
func (p postmortem) seenBefore() (points []string) {
	replaced := p.firstReplaced()
	last := map[runbook.Host]runbook.Looked{}
	for _, e := range p.events {
		if looked, ok := e.Fact.(runbook.Looked); ok && (replaced.IsZero() || !e.At.After(replaced)) {
			last[looked.Host] = looked
		}
	}
	for _, host := range runbook.SortedKeys(last) {
		if last[host].Problem != "" {
			points = append(points, fmt.Sprintf("%s could not be looked at%s", inCode(string(host)), p.detail(": ", last[host].Problem, 500)))
		}
		for _, r := range last[host].Running {
			if wrong := unwell(r); wrong != "" {
				points = append(points, fmt.Sprintf("%s on %s: %s", inCode(r.Service), inCode(string(host)), wrong))
			}
		}
	}
	return points
}

// unwell says what is wrong with a service's containers; empty: nothing to be seen.
func unwell(r runbook.Running) string {
	var wrong []string
	if r.Containers == 0 {
		wrong = append(wrong, "no container")
	}
	if r.State != "" {
		wrong = append(wrong, "a container is "+r.State)
	}
	if r.Health != "" {
		wrong = append(wrong, "a container says that it is "+r.Health)
	}
	if r.Restarts > 0 {
		wrong = append(wrong, fmt.Sprintf("restarted %d times", r.Restarts))
	}
	return strings.Join(wrong, ", ")
}

// troubles are the steps that did not pass.
func (p postmortem) troubles() (points []string) {
	for _, e := range p.events {
		finished, ok := e.Fact.(runbook.StepFinished)
		if !ok || finished.Outcome.Verdict == runbook.Passed || finished.Outcome.Verdict == runbook.Undecided {
			continue
		}
		point := fmt.Sprintf("%s, %s (%s)%s", moment(e.At), finished.Step.Title(), finished.Outcome.Verdict, p.detail(": ", finished.Outcome.Detail, 1000))
		if finished.Outcome.Output != "" && !p.reader.Public {
			point += "\n\n" + indented(codeBlock(runbook.Truncate(runbook.Mask(finished.Outcome.Output), maxOutput))) + "\n"
		}
		points = append(points, point)
		if len(points) == maxTroubles {
			return append(points, "… and more, which the journal has.")
		}
	}
	return points
}

// maxTroubles and maxOutput bound what is told of failures during the rollback, in points and characters.
const (
	maxTroubles = 10
	maxOutput   = 1500
)

// indented makes a block part of the list point that it follows.
func indented(block string) string { return "  " + strings.ReplaceAll(block, "\n", "\n  ") }

// logs are the last lines of the containers that were replaced, from before that. They never go where anybody can read.
func (p postmortem) logs() string {
	const title = "The last lines of the replaced containers, from before they were replaced, masked"
	if p.reader.Public {
		return title + ": not shown where anybody can read them. " + inCode("rollbackbot postmortem "+p.rb.ID) + " prints them."
	}
	var parts []string
	room := p.mostLogs
	for _, read := range p.logsRead() {
		parts = append(parts, p.logsOf(read, &room)...)
	}
	if len(parts) == 0 {
		return title + ": they were not read before the containers were replaced."
	}
	return title + ".\n\n" + strings.Join(parts, "\n\n")
}

// logsRead is what was read last of each host.
func (p postmortem) logsRead() (all []runbook.LogsRead) {
	last := map[runbook.Host]runbook.LogsRead{}
	for _, e := range p.events {
		if read, ok := e.Fact.(runbook.LogsRead); ok {
			last[read.Host] = read
		}
	}
	for _, host := range runbook.SortedKeys(last) {
		all = append(all, last[host])
	}
	return all
}

func (p postmortem) logsOf(read runbook.LogsRead, room *int) (parts []string) {
	if read.Problem != "" {
		return []string{fmt.Sprintf("%s: %s", inCode(string(read.Host)), p.said(read.Problem, 500))}
	}
	for _, s := range read.Services {
		name := fmt.Sprintf("%s on %s", inCode(s.Service), inCode(string(read.Host)))
		lines := runbook.Mask(s.Lines)
		switch {
		case s.Problem != "":
			parts = append(parts, name+": "+p.said(s.Problem, 500))
		case lines == "":
			parts = append(parts, name+": it had printed nothing.")
		case len(lines) > *room:
			parts = append(parts, name+": left out here for its length; the journal has it.")
		default:
			*room -= len(lines)
			parts = append(parts, name+":\n\n"+codeBlock(lines))
		}
	}
	return parts
}
