package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// terminalView shows a rollback: a line for everything that happens, and, where a person looks on, one line below them
// that follows what is under way.
type terminalView struct {
	out  io.Writer
	live bool

	said  map[string]bool // what was said already
	under bool            // the line below is there
	last  string          // of trouble
}

func newTerminalView(out io.Writer, live bool) *terminalView {
	return &terminalView{out: out, live: live, said: map[string]bool{}}
}

// show says what is new, and how what is under way stands.
func (v *terminalView) show(rb runbook.Rollback, now time.Time, howToAnswer string) {
	for _, l := range storyOf(rb) {
		if !v.said[l.key] {
			v.said[l.key] = true
			v.line(l.text)
		}
	}
	if open := rb.Question(); open != nil && howToAnswer != "" {
		if key := fmt.Sprintf("how-%d-%s", open.ID, open.Stage()); !v.said[key] {
			v.said[key] = true
			v.line(howToAnswer)
		}
	}
	v.last = ""
	if v.live {
		v.below(underWay(rb, now))
	}
}

// note says something that is in no journal.
func (v *terminalView) note(format string, args ...any) { v.line(fmt.Sprintf(format, args...)) }

// trouble says once what keeps it from looking.
func (v *terminalView) trouble(err error) {
	if text := err.Error(); text != v.last {
		v.last = text
		v.line("It can't be read how it stands, trying again: " + text)
	}
}

func (v *terminalView) line(text string) {
	v.clear()
	fmt.Fprintln(v.out, text)
}

func (v *terminalView) below(text string) {
	v.clear()
	if text != "" {
		fmt.Fprint(v.out, text)
		v.under = true
	}
}

func (v *terminalView) clear() {
	if v.under {
		fmt.Fprint(v.out, "\r\x1b[K")
		v.under = false
	}
}

func (v *terminalView) close() { v.clear() }

// told is a line of a rollback's story; the key is the same as long as it says the same.
type told struct{ key, text string }

// storyOf is what has happened so far, oldest first by what it is about.
func storyOf(rb runbook.Rollback) (all []told) {
	say := func(key string, at time.Time, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if !at.IsZero() {
			text = at.UTC().Format("15:04:05") + "  " + text
		}
		all = append(all, told{key, text})
	}
	say("asked", rb.Request.At, "%s: roll back %s to %s, asked for by %s", rb.ID, rb.App, rb.Plan.Target.Name(), rb.Request.By)
	for _, q := range rb.Questions {
		key := fmt.Sprintf("question-%d", q.ID)
		say(key, q.AskedAt, "%s", strings.TrimSpace(questionWords(q)))
		for _, half := range q.Halves {
			say(key+"-half-"+half.By+string(half.Answer), half.At, "%s signed %s: %s", half.By, half.Answer, half.Reason)
		}
		switch {
		case q.Answer != "":
			say(key+"-answered", q.AnsweredAt, "%s: %s", q.By, q.Answer)
		case q.Expired:
			say(key+"-expired", q.Deadline, "nobody answered in time")
		case q.Void:
			say(key+"-void", time.Time{}, "%s", "          "+rb.Replanned+": it is asked anew")
		}
	}
	for _, run := range rb.Steps {
		key := fmt.Sprintf("step-%s-%s-%d", run.Direction, run.Step, run.Attempt)
		say(key, run.StartedAt, "%s …", run.Step.Title())
		if !run.EndedAt.IsZero() {
			text := fmt.Sprintf("%s: %s after %s", run.Step.Title(), run.Verdict, run.EndedAt.Sub(run.StartedAt).Round(time.Second))
			if run.Detail != "" && run.Verdict != runbook.Passed {
				text += ": " + run.Detail
			}
			say(key+"-ended", run.EndedAt, "%s", text)
		}
	}
	if rb.State == runbook.StateEnded {
		say("ended", rb.EndedAt, "%s: %s", rb.Outcome, rb.Why)
		for _, h := range rb.Plan.Hosts {
			say("runs-"+string(h.Host), time.Time{}, "          %s runs %s", h.Host, runsWords(rb, h))
		}
	}
	return all
}

func questionWords(q runbook.Asking) string {
	until := " until " + q.Deadline.UTC().Format("15:04:05 UTC")
	switch q.Kind {
	case runbook.AskSignoff:
		return "waiting for an engineering lead" + until + ": " + q.Text
	case runbook.AskConfirm:
		return "waiting for who asked to confirm" + until
	}
	return "waiting for an answer" + until + ": " + q.Text
}

// askedIn is the question that is open now; "" where none is.
func askedIn(rb runbook.Rollback) string {
	if open := rb.Question(); open != nil {
		return questionWords(*open)
	}
	return fmt.Sprintf("%s is under way; it can be aborted.", rb.ID)
}

func runsWords(rb runbook.Rollback, h runbook.HostPlan) string {
	state := rb.Hosts[h.Host]
	if state.Problem != "" {
		return "nobody knows what: " + state.Problem
	}
	var parts []string
	for _, r := range state.Running {
		image := r.Image.Digest.Short()
		if r.Image.IsZero() {
			image = "an image that is not known"
		}
		parts = append(parts, r.Service+" "+image)
	}
	if len(parts) == 0 {
		return "what it ran before: it was not looked at"
	}
	return strings.Join(parts, ", ")
}

const viewBar = 20

// underWay is one line about the step that runs, or about who is waited for.
func underWay(rb runbook.Rollback, now time.Time) string {
	if rb.State == runbook.StateEnded || len(rb.Steps) == 0 && rb.Question() == nil {
		return ""
	}
	if open := rb.Question(); open != nil {
		left, whole := open.Deadline.Sub(now), open.Deadline.Sub(open.AskedAt)
		return fmt.Sprintf("%s waiting, %s left", barOf(whole-left, whole), max(left, 0).Round(time.Second))
	}
	run := rb.Steps[len(rb.Steps)-1]
	if !run.EndedAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s for %s", run.Step.Title(), now.Sub(run.StartedAt).Round(time.Second))
}

func barOf(over, whole time.Duration) string {
	full := 0
	if whole > 0 {
		full = int(min(max(over, 0), whole) * viewBar / whole)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", viewBar-full) + "]"
}

// howToAnswer says what can be answered now, and exactly how; "" while nothing is asked.
func (s *signing) howToAnswer(rb runbook.Rollback) string {
	open := rb.Question()
	if open == nil || rb.State == runbook.StateEnded {
		return ""
	}
	lines := []string{"", "Answers, each signed as one line; the signature is pasted here, or given with"}
	lines = append(lines, fmt.Sprintf("  rollbackbot signoff %s --as U… --answer ANSWER", rb.ID), "")
	for _, answer := range answersOf(rb) {
		lines = append(lines, fmt.Sprintf("%s:\n  %s", answer, unsigned(rb, answer).Statement().Command("~/.ssh/id_ed25519")))
	}
	if s.key != "" {
		lines = append(lines, "", "Or type an answer here, and it is signed as "+s.as+" with "+s.key+".")
	}
	return strings.Join(append(lines, ""), "\n")
}
