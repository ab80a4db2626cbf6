package runbook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ChangedSince says in what a plan differs from a former one of the same request, as far as a signature covers it: each a
// sentence without a full stop. None: the two have the same hash.
func (p Plan) ChangedSince(former Plan) (all []string) {
	if p.Hash() == former.Hash() {
		return nil
	}
	for _, e := range p.Excluded {
		if _, planned := former.Host(e.Host); planned {
			all = append(all, fmt.Sprintf("%s can't be reached any more", e.Host))
		}
	}
	for _, h := range p.Hosts {
		was, planned := former.Host(h.Host)
		if !planned {
			all = append(all, fmt.Sprintf("%s can be reached again", h.Host))
			continue
		}
		all = append(all, h.changedSince(was)...)
	}
	if !sameJSON(p.migrationSigned(), former.migrationSigned()) {
		all = append(all, "what is known of the migrations in between")
	}
	if len(all) == 0 {
		all = append(all, "the commands, or the hosts")
	}
	return all
}

func (h HostPlan) changedSince(was HostPlan) (all []string) {
	for _, s := range h.Services {
		i := slices.IndexFunc(was.Services, func(other ServicePlan) bool { return other.Service == s.Service })
		switch {
		case i < 0:
			all = append(all, fmt.Sprintf("%s: %s is new", h.Host, s.Service))
		case s.FromText() != was.Services[i].FromText():
			all = append(all, fmt.Sprintf("%s: %s runs %s, and ran %s", h.Host, s.Service, s.startName(), was.Services[i].startName()))
		case s.ConfigHash != was.Services[i].ConfigHash, s.Drifted != was.Services[i].Drifted:
			all = append(all, fmt.Sprintf("%s: the configuration of %s", h.Host, s.Service))
		case s.To != was.Services[i].To:
			all = append(all, fmt.Sprintf("%s: where %s goes", h.Host, s.Service))
		}
	}
	if len(all) == 0 && !sameJSON(h.canonical(), was.canonical()) {
		all = append(all, fmt.Sprintf("%s: the commands", h.Host))
	}
	return all
}

// startName is what a service runs, for people.
func (s ServicePlan) startName() string {
	var names []string
	for _, image := range s.Replaced() {
		names = append(names, image.Digest.Short())
	}
	return cmp.Or(strings.Join(names, " and "), "an image that is not known")
}

func sameJSON(a, b any) bool {
	one, _ := json.Marshal(a) // maps, texts and numbers always encode
	other, _ := json.Marshal(b)
	return bytes.Equal(one, other)
}
