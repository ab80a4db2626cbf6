package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/terminal"
	"rollbackbot/runbook"
	"rollbackbot/runbook/runner"
)

// slackPatience is how long the door waits for Slack to say what a person may do, before the configuration alone does.
const slackPatience = 3 * time.Second

// door is where what people say in terminals comes in, in the process that acts.
func (r *replica) door(rollbacks *runner.Runner) *terminal.Door {
	return &terminal.Door{
		Runner: rollbacks, Inbox: r.store, Roles: r.rolesOf,
		Signers: func() (terminal.Signers, error) { return loadSigners(r.cfg) },
		Problem: func(err error) {
			r.log.Error().Str("component", "door").Err(err).Msg("what was said in a terminal can't be dealt with now; trying again")
		},
	}
}

// loadSigners reads whose signatures count; nobody's where ROLLBACK_SIGNERS is not set.
func loadSigners(cfg config.Config) (terminal.Signers, error) {
	if cfg.Signers == "" {
		return terminal.Signers{}, nil
	}
	signers, err := terminal.LoadSigners(cfg.Signers)
	if err != nil {
		return terminal.Signers{}, fmt.Errorf("ROLLBACK_SIGNERS: %s: %w", cfg.Signers, err)
	}
	return signers, nil
}

// rolesOf is what a person who signs in a terminal may do. Slack's word stands where it answers; otherwise the people
// whom the configuration names by their own IDs have the roles that it gives them. Who is in a user group nobody can tell
// then.
func (r *replica) rolesOf(ctx context.Context, person string) (runbook.Roles, error) {
	within, cancel := context.WithTimeout(ctx, slackPatience)
	defer cancel()
	select {
	case <-r.listener.Known(): // before that nobody belongs to the workspace
		roles, err := r.directory.Roles(within, person)
		if err == nil || slackIsThere(err) {
			return roles, asRefused(err)
		}
	case <-within.Done():
	}
	if ctx.Err() != nil {
		return runbook.Roles{}, ctx.Err()
	}
	signers, err := loadSigners(r.cfg)
	if err != nil {
		return runbook.Roles{}, err
	}
	return rolesWithoutSlack(r.cfg.People, signers, person, time.Now())
}

// slackIsThere reports whether Slack has answered, though not with the roles: then the configuration alone lets nobody in.
func slackIsThere(err error) bool {
	var limited *runbook.RetryError
	var answer *bot.SlackError
	return errors.As(err, &limited) || errors.As(err, &answer) && (answer.Code == "user_not_found" || answer.Code == "user_not_visible")
}

func asRefused(err error) error {
	if err == nil {
		return nil
	}
	return &runbook.RefusedError{Why: "Slack answers, but doesn't say who you are: " + err.Error() + ". Sign again in a moment."}
}

// rolesWithoutSlack reads roles from the configuration alone. Where the whole channel may ask, those count whom the
// operator put into ROLLBACK_SIGNERS. A *runbook.RefusedError where groups would have to be read.
func rolesWithoutSlack(people config.People, signers terminal.Signers, person string, now time.Time) (runbook.Roles, error) {
	roles := runbook.Roles{
		Person: person, Lead: slices.Contains(people.Leads, person), Deputy: slices.Contains(people.Deputies, person),
		Requester: slices.Contains(people.Requesters, person) || people.ChannelMayRequest && signers.Vouches(person, now) == nil,
	}
	if roles.Lead || roles.Deputy || roles.Requester {
		return roles, nil
	}
	for _, id := range slices.Concat(people.Leads, people.Deputies, people.Requesters) {
		if strings.HasPrefix(id, "S") {
			return roles, &runbook.RefusedError{Why: "Slack doesn't answer, so nobody can tell who is in a user group, and " + person +
				" is named by their own ID in none of ROLLBACK_LEADS, ROLLBACK_DEPUTIES and ROLLBACK_REQUESTERS."}
		}
	}
	return roles, nil
}

// checkSigners tells whether a rollback could be signed off while Slack is down.
func checkSigners(cfg config.Config, now time.Time) runbook.Finding {
	const about, remedy = "signing off without Slack", "Name a lead by their own ID in ROLLBACK_LEADS, and their key with that ID in ROLLBACK_SIGNERS"
	if cfg.Signers == "" {
		return runbook.NotChecked(about, "ROLLBACK_SIGNERS is not set: while Slack is down nobody asks and nobody signs off")
	}
	signers, err := loadSigners(cfg)
	if err != nil {
		return runbook.FoundWrong(about, "Mend the file; ssh-keygen(1) describes it under ALLOWED SIGNERS", "%v", err)
	}
	can := func(ids []string) (people []string, last error) {
		for _, id := range ids {
			if strings.HasPrefix(id, "S") {
				continue // who is in a group nobody can tell without Slack
			}
			if err := signers.Vouches(id, now); err != nil {
				last = err
				continue
			}
			people = append(people, id)
		}
		return people, last
	}
	leads, why := can(cfg.People.Leads)
	if len(leads) > 0 {
		return runbook.FoundFine(about, "%s can, as a lead", strings.Join(leads, ", "))
	}
	if requesters, _ := can(cfg.People.Requesters); cfg.People.BreakGlass && len(requesters) > 1 {
		return runbook.FoundFine(about, "%s can together, where no lead answers (break-glass); no lead can", strings.Join(requesters, ", "))
	}
	if why == nil {
		why = errors.New("ROLLBACK_LEADS names no person, only groups")
	}
	return runbook.FoundWrong(about, remedy, "no lead could: %v", why)
}
