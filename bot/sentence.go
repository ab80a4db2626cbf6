package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

// Sentence is an error as the person reads it who asked for something: what is wrong and what to do, in plain text. The
// log gets the error itself. What is not meant for people never gets out of here.
func Sentence(err error) string {
	for _, say := range []func(error) string{usageSentence, choiceSentence, peopleSentence, hostSentence, journalSentence, slackSentence} {
		if text := say(err); text != "" {
			return text
		}
	}
	return "Something went wrong inside the bot, and nothing was changed by this. Try again; if it stays, the bot's log says what it is."
}

// usageSentence is for what was typed.
func usageSentence(err error) string {
	var usage *UsageError
	var image *runbook.ImageError
	switch {
	case errors.As(err, &usage) && usage.Try != "":
		return usage.Problem + " Type: `" + unescape(usage.Try) + "`"
	case errors.As(err, &usage):
		return usage.Problem
	case errors.As(err, &image):
		return fmt.Sprintf("%q is no image that can be rolled back to: %s.", image.Ref, image.Why)
	}
	return ""
}

// maxCandidates is how many releases are offered to choose from.
const maxCandidates = 15

// choiceSentence is for apps, releases and rollbacks that there aren't.
func choiceSentence(err error) string {
	var app *runbook.UnknownAppError
	var target *runbook.TargetError
	var rollback *runbook.UnknownRollbackError
	var running *runbook.AlreadyRunningError
	switch {
	case errors.As(err, &app) && len(app.Apps) == 0:
		return fmt.Sprintf("There is no app %q, and none is configured.", app.Name)
	case errors.As(err, &app):
		return fmt.Sprintf("There is no app %q. There are: %s.", app.Name, strings.Join(app.Apps, ", "))
	case errors.As(err, &rollback):
		return fmt.Sprintf("There is no rollback %q. `%s status` names the open ones.", rollback.ID, slash)
	case errors.As(err, &running):
		return fmt.Sprintf("%s runs %s already, on every host, and the pins say so too: there is nothing to roll back.", running.App, running.Release.Name())
	case errors.As(err, &target):
		return targetSentence(target)
	}
	return ""
}

func targetSentence(e *runbook.TargetError) string {
	lines := []string{sentence(e.Why)}
	for i, r := range e.Candidates {
		if i == maxCandidates {
			lines = append(lines, fmt.Sprintf("… and %d more", len(e.Candidates)-maxCandidates))
			break
		}
		lines = append(lines, "• "+runbook.Describe(r))
	}
	return strings.Join(lines, "\n")
}

// peopleSentence is for what others do or may do.
func peopleSentence(err error) string {
	var refused *runbook.RefusedError
	var busy *runbook.BusyError
	var open *runbook.OpenError
	switch {
	case errors.As(err, &refused):
		return refused.Why
	case errors.As(err, &busy):
		rb := busy.Rollback
		return fmt.Sprintf("%s has the rollback %s open, asked for by %s at %s. %s One runs at a time: wait for its end, or abort it.",
			rb.App, rb.ID, runbook.Person(rb.Request.By), instant(rb.Request.At), stateText(rb))
	case errors.As(err, &open):
		return fmt.Sprintf("%s has the rollback %s open. One runs at a time: wait for its end, or abort it.", open.App, open.Rollback)
	case errors.Is(err, runbook.ErrNotOpen):
		return "That question is not open any more."
	}
	return ""
}

// hostSentence is for what a look at the hosts found.
func hostSentence(err error) string {
	var preflight *runbook.PreflightError
	var host *runbook.HostError
	var locked *runbook.LockedError
	var lease *runbook.LeaseError
	switch {
	case errors.As(err, &preflight):
		lines := []string{"A rollback can't be done as things are. Nobody was asked, and nothing was changed. Mend this first:"}
		for _, p := range preflight.Problems {
			lines = append(lines, "• "+p.String())
		}
		return strings.Join(lines, "\n")
	case errors.As(err, &host):
		return fmt.Sprintf("%s: %s %s", host.Host, sentence(host.Problem), sentence(host.Remedy))
	case errors.As(err, &locked):
		return sentence(locked.Error())
	case errors.As(err, &lease):
		return sentence(lease.Error())
	case errors.Is(err, runbook.ErrLost):
		return "The connection to a host ended before it answered. Try again."
	case errors.Is(err, runbook.ErrStaleEpoch):
		return "Another process of the bot has taken over this app. Try again."
	}
	return ""
}

// journalSentence is for a journal that can't be relied on.
func journalSentence(err error) string {
	if !errors.Is(err, runbook.ErrBrokenJournal) {
		return ""
	}
	return "Nothing is done for this app: its journal was changed by other means than the bot, so what it says may not have happened. " +
		"`rollbackbot audit verify` in a terminal names the first broken event. If it can't wait, `rollbackbot plan APP` prints the exact commands."
}

// slackSentence is for Slack itself, and for time that ran out.
func slackSentence(err error) string {
	var retry *runbook.RetryError
	var refused *SlackError
	switch {
	case errors.As(err, &retry):
		return fmt.Sprintf("Slack wants fewer calls just now. Try again in %s.", took(retry.After))
	case errors.As(err, &refused):
		return fmt.Sprintf("Slack refused (%s): %s.", refused.Code, refused.Remedy)
	case errors.Is(err, context.DeadlineExceeded):
		return "It took too long, so it was given up; nothing was changed by this. Try again."
	}
	return ""
}
