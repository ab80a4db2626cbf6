package runner

import (
	"context"
	"regexp"
	"strings"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// Blocked gives the app's quarantined digests, each with the rollback that blocked it.
func (r *Runner) Blocked(ctx context.Context, app string) (map[runbook.Digest]string, error) {
	history, err := r.History(ctx, app)
	return history.Blocked(), err
}

var link = regexp.MustCompile(`https?://[^\s<>]+`)

// Lift takes a digest out of quarantine in every app that blocks it. Only a lead can, with a cause that holds the
// postmortem's link: the failed release is investigated before it is deployed again. delivery is what asked for it.
func (r *Runner) Lift(ctx context.Context, digest, cause, by, delivery string) error {
	roles, err := r.Directory.Roles(ctx, by)
	switch {
	case err != nil:
		return runbook.Refusal("Your rights could not be read from Slack, so this doesn't count. Try again.")
	case roles.Barred != "":
		return runbook.Refusal("That doesn't count: %s.", roles.Barred)
	case !roles.Lead:
		return runbook.Refusal("Only an engineering lead can lift a quarantine, and you are not one of those whom ROLLBACK_LEADS names.")
	case !link.MatchString(cause):
		return runbook.Refusal("Say why, with the postmortem's link: `lift %s because https://…`.", digest)
	}
	apps, full, err := r.blocking(ctx, digest)
	if err != nil {
		return err
	}
	for i, app := range apps {
		entry := runbook.Entry{App: app, At: time.Now().UTC(), Actor: by}
		lifted := runbook.Lifted{Digest: full, Cause: runbook.Mask(cause), By: by}
		if i == len(apps)-1 {
			// A delivery is dealt with once all of it is, and the channel is told once.
			entry.Cause, lifted.Notice = delivery, "lift-"+runbook.NewID()
		}
		entry.Facts = []runbook.Fact{lifted}
		events, err := r.Journal.Append(ctx, entry)
		if err != nil {
			return err
		}
		for _, event := range events {
			r.reportEvent(event)
		}
	}
	r.WakeOutbox()
	return nil
}

// blocking finds the one blocked digest that has this prefix, and the apps that block it.
func (r *Runner) blocking(ctx context.Context, prefix string) (apps []string, full runbook.Digest, err error) {
	if len(prefix) < len("sha256:")+history.MinDigestDigits {
		return nil, "", runbook.Refusal("%s is too short: give at least %d digits of the digest.", prefix, history.MinDigestDigits)
	}
	// Also those that are not configured any more: what they block is not allowed either.
	all, err := r.Journal.Apps(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, app := range all {
		blocked, err := r.Blocked(ctx, app)
		if err != nil {
			return nil, "", err
		}
		for _, digest := range runbook.SortedKeys(blocked) {
			switch {
			case !strings.HasPrefix(string(digest), prefix):
			case full != "" && full != digest:
				return nil, "", runbook.Refusal("%s fits more than one quarantined image; give more digits.", prefix)
			default:
				full, apps = digest, append(apps, app)
			}
		}
	}
	if full == "" {
		return nil, "", runbook.Refusal("%s is not quarantined.", prefix)
	}
	return apps, full, nil
}
