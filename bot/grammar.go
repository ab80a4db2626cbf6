package bot

import (
	"maps"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// Verb is what a command asks for.
type Verb string

// The verbs. A line that begins with an app's name, not with a verb, asks for a rollback.
const (
	VerbForm       Verb = "form"       // the command alone: open the form
	VerbRollback   Verb = "rollback"   // APP [to RELEASE] …
	VerbStatus     Verb = "status"     // [ID|APP]
	VerbHistory    Verb = "history"    // APP
	VerbPlan       Verb = "plan"       // APP [to RELEASE]
	VerbAbort      Verb = "abort"      // ID
	VerbQuarantine Verb = "quarantine" // [APP]
	VerbLift       Verb = "lift"       // sha256:… because CAUSE
	VerbDoctor     Verb = "doctor"
	VerbHelp       Verb = "help"
)

// verbs are those that a line can begin with.
var verbs = []Verb{VerbStatus, VerbHistory, VerbPlan, VerbAbort, VerbQuarantine, VerbLift, VerbDoctor, VerbHelp}

// Command is one line that a person typed after /rollback, as it was meant. Fields that were not given, or that the
// verb does not have, are empty.
type Command struct {
	Verb      Verb
	App       string
	ID        string                   // of a rollback, "rb-…"
	Release   string                   // an ID, a version, "previous", or "sha256:" with at least 12 hex digits
	Images    map[string]runbook.Image // by service, instead of Release; nil when not given
	Migration string                   // none, yes or unknown
	Owner     string                   // Slack ID
	Reason    string                   // what came after "because"; for VerbLift the cause
	Digest    string                   // for VerbLift: "sha256:" and 12 to 64 hex digits
}

// CommandOf is the command that asks for the same as a request: what stands there by default is left out.
func CommandOf(r runbook.Request) Command {
	c := Command{Verb: VerbRollback, App: r.App, Release: r.Release, Images: r.Images, Migration: r.Migration, Owner: r.Owner, Reason: r.Reason}
	if len(c.Images) > 0 {
		c.Release = ""
	}
	if c.Reason == runbook.NotGiven {
		c.Reason = ""
	}
	if c.Owner == r.By {
		c.Owner = ""
	}
	return c
}

// Request is what the command asks the runbook for, with the defaults filled in. The verb is VerbRollback or VerbPlan.
func (c Command) Request(by string, at time.Time) runbook.Request {
	r := runbook.Request{
		App: c.App, Release: c.Release, Images: maps.Clone(c.Images), Reason: c.Reason, Migration: c.Migration,
		Owner: c.Owner, By: by, At: at,
	}
	if r.Reason == "" {
		r.Reason = runbook.NotGiven
	}
	if r.Migration == "" {
		r.Migration = string(runbook.MigrationUnknown)
	}
	if r.Owner == "" {
		r.Owner = by
	}
	return r
}

// slash is the command's own name, with which a line may begin.
const slash = "/rollback"

// Line is the one line that asks for the same, escaped as Slack escapes what people type: Parse reads it back.
func (c Command) Line() string {
	words := []string{slash}
	if c.Verb != VerbRollback && c.Verb != VerbForm {
		words = append(words, string(c.Verb))
	}
	for _, word := range []string{c.App, c.ID, c.Digest} {
		if word != "" {
			words = append(words, escape(word))
		}
	}
	words = append(words, c.target()...)
	if c.Migration != "" {
		words = append(words, "migration", c.Migration)
	}
	if c.Owner != "" {
		words = append(words, "owner", "<@"+c.Owner+">")
	}
	if c.Reason != "" {
		words = append(words, "because", escape(c.Reason))
	}
	return strings.Join(words, " ")
}

func (c Command) target() []string {
	switch {
	case len(c.Images) > 0:
		words := []string{"to"}
		for _, service := range slices.Sorted(maps.Keys(c.Images)) {
			words = append(words, service+"="+c.Images[service].String())
		}
		return words
	case c.Release != "":
		return []string{"to", escape(c.Release)}
	}
	return nil
}

// UsageError says what is wrong with a line, and what to type instead.
type UsageError struct {
	Problem string // one sentence or more, with their full stops
	Try     string // a line that would be understood; empty where none can be guessed
}

func (e *UsageError) Error() string {
	if e.Try == "" {
		return e.Problem
	}
	return e.Problem + " Type: " + e.Try
}

// Parse reads what a person typed after /rollback, as Slack hands it over: with names and links in angle brackets, with
// quotes, dashes and spaces made typographic, with marks for bold and the like. The command's own name may lead.
// Every error is a *UsageError.
func Parse(text string) (Command, error) {
	text = cleanText(text)
	command, err := parseClean(text)
	if err == nil {
		return command, nil
	}
	wrong := err.(*grammarError)
	return Command{}, &UsageError{Problem: wrong.problem, Try: firstUnderstood(wrong.guesses)}
}

// firstUnderstood gives the first of the lines that reads well, as it reads.
func firstUnderstood(lines []string) string {
	for _, line := range lines {
		if command, err := parseClean(line); err == nil {
			return command.Line()
		}
	}
	return ""
}
