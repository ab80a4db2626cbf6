package runner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// changes says in what a plan differs from a former one of the same request, as far as a signature covers it: each a
// sentence without a full stop. None: the two have the same hash.
func changes(former, now runbook.Plan) (all []string) {
	if now.Hash() == former.Hash() {
		return nil
	}
	for _, e := range now.Excluded {
		if _, planned := former.Host(e.Host); planned {
			all = append(all, fmt.Sprintf("%s can't be reached any more", e.Host))
		}
	}
	for _, h := range now.Hosts {
		was, planned := former.Host(h.Host)
		if !planned {
			all = append(all, fmt.Sprintf("%s can be reached again", h.Host))
			continue
		}
		all = append(all, changesOn(was, h)...)
	}
	if facts(now).Hash() != facts(former).Hash() {
		all = append(all, "what is known of the migrations in between")
	}
	if len(all) == 0 {
		all = append(all, "the commands, or the hosts")
	}
	return all
}

// facts is a plan of which only what is known of migrations is left.
func facts(p runbook.Plan) runbook.Plan {
	return runbook.Plan{Migration: p.Migration, Changes: p.Changes}
}

func changesOn(was, now runbook.HostPlan) (all []string) {
	for _, s := range now.Services {
		i := slices.IndexFunc(was.Services, func(other runbook.ServicePlan) bool { return other.Service == s.Service })
		switch {
		case i < 0:
			all = append(all, fmt.Sprintf("%s: %s is new", now.Host, s.Service))
		case s.FromText() != was.Services[i].FromText():
			all = append(all, fmt.Sprintf("%s: %s runs %s, and ran %s", now.Host, s.Service, startName(s), startName(was.Services[i])))
		case s.ConfigHash != was.Services[i].ConfigHash, s.Drifted != was.Services[i].Drifted:
			all = append(all, fmt.Sprintf("%s: the configuration of %s", now.Host, s.Service))
		case s.To != was.Services[i].To:
			all = append(all, fmt.Sprintf("%s: where %s goes", now.Host, s.Service))
		}
	}
	if len(all) == 0 && alone(now).Hash() != alone(was).Hash() {
		all = append(all, fmt.Sprintf("%s: the commands", now.Host))
	}
	return all
}

// alone is a plan of one host.
func alone(h runbook.HostPlan) runbook.Plan { return runbook.Plan{Hosts: []runbook.HostPlan{h}} }

// startName is what a service runs, for people.
func startName(s runbook.ServicePlan) string {
	var names []string
	for _, image := range s.Replaced() {
		names = append(names, image.Digest.Short())
	}
	return cmp.Or(strings.Join(names, " and "), "an image that is not known")
}

// comparable are the facts as they compare to a former plan's: those of versions before v0.3 name no IDs.
func comparable(m, former runbook.MigrationFacts) runbook.MigrationFacts {
	if slices.ContainsFunc(former.Releases, func(r runbook.ReleaseFact) bool { return r.ID != "" }) {
		return m
	}
	m.Releases = slices.Clone(m.Releases)
	for i := range m.Releases {
		m.Releases[i].ID = ""
	}
	return m
}
