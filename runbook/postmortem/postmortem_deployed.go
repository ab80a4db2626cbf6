package postmortem

import (
	"cmp"
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

// deployed is what ran, what it was taken back to, and what changed between the two.
func (p postmortem) deployed() string {
	plan := p.rb.Plan
	failed, known := p.failed()
	name := cmp.Or(plan.Running, "not known, or not the same on every host")
	parts := []string{
		fmt.Sprintf("The failed release: **%s**%s", markdown(name), p.facts(failed, known)),
		p.images(func(s runbook.ServicePlan) string { return s.FromText() }),
		fmt.Sprintf("The release that it was taken back to: **%s**%s", markdown(plan.Target.Name()), p.facts(plan.Target, true)),
		p.images(func(s runbook.ServicePlan) string { return s.To.String() }),
		p.changes(failed),
	}
	return strings.Join(parts, "\n\n")
}

// facts is what is known of a release besides its images.
func (p postmortem) facts(r runbook.Release, known bool) string {
	if !known {
		return ". Nobody has noted it, and the bot has not seen it on every host."
	}
	text := ", release " + inCode(r.ID)
	if r.Commit != "" {
		text += ", commit " + inCode(r.Commit)
	}
	if r.Author != "" {
		text += ", deployed by " + markdown(r.Author)
	}
	if r.URL != "" {
		text += ", " + r.URL
	}
	if !r.LastLiveAt.IsZero() {
		text += ", live since " + moment(r.LastLiveAt)
	}
	return text + ", migration: " + string(r.Migration) + "."
}

// images lists one image a service, by host where hosts differ.
func (p postmortem) images(of func(runbook.ServicePlan) string) string {
	seen := map[string]bool{}
	var points []string
	for _, h := range p.rb.Plan.Hosts {
		for _, s := range h.Services {
			ref := of(s)
			if seen[s.Service+"="+ref] {
				continue
			}
			seen[s.Service+"="+ref] = true
			text := "an image without a digest"
			if ref != "" {
				text = inCode(ref)
			} else if s.FromNote != "" {
				text = p.said(s.FromNote, 200)
			}
			points = append(points, fmt.Sprintf("%s: %s (first on %s)", inCode(s.Service), text, inCode(string(h.Host))))
		}
	}
	return bullets(points)
}

// changes leads to the commits between the two releases, and says what is known of migrations.
func (p postmortem) changes(failed runbook.Release) string {
	base, head := p.rb.Plan.Target.Commit, failed.Commit
	text := "Which commits lie between the two is not known: a deployment note with the commit of each release tells (`rollbackbot deployed … --commit`)."
	if base != "" && head != "" {
		text = fmt.Sprintf("What changed: commits %s to %s", inCode(base), inCode(head))
		if p.reader.Compare != nil {
			if link := p.reader.Compare(base, head); link != "" {
				text += ", " + link
			}
		}
		text += "."
	}
	if c := p.rb.Plan.Changes; c.Told() {
		text += " " + p.said(c.Summary(), 1000) + "."
	}
	facts := p.rb.Plan.Migration
	if facts.None {
		return text + " It was proven that there was no migration between the two."
	}
	text += " Migrations:"
	if facts.Why != "" {
		text += " " + p.said(facts.Why, 500) + "."
	}
	var points []string
	for _, r := range facts.Releases {
		points = append(points, fmt.Sprintf("%s: %s (%s)", markdown(runbook.Truncate(r.Release, 80)), r.Migration, markdown(r.Source)))
	}
	if c := p.rb.Plan.Changes; c != nil {
		for i, m := range c.Migrations {
			if i == maxListedMigrations {
				points = append(points, fmt.Sprintf("… and %s more", runbook.Count(len(c.Migrations)-i, "migration file")))
				break
			}
			points = append(points, p.said(m.Text(), 500))
		}
	}
	if len(points) == 0 {
		return text
	}
	return text + "\n\n" + bullets(points)
}

// maxListedMigrations keeps the ticket within what people read; the rollback's thread and its journal have all.
const maxListedMigrations = 20
