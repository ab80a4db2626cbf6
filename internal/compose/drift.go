package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// Whether `up` would change more of a service than its image is told by compose's hash of it: the one that its containers
// carry was made by `up`, and `config --hash` prints what it would be now. These two differ, too, where nothing was edited:
//
//   - with env_file, from Compose 2.22 to 5.4: `config --hash` leaves out what it holds (docker/compose#14001, fixed by
//     #14002 in 5.5.0);
//   - with depends_on, before Compose 2.29.3: `up --no-deps` of some services forgets what they depend on and isn't named,
//     as a rollback's does (WithSelectedServices in compose-go; d658fecc6 takes depends_on out of the hash);
//   - with network_mode: service:… and its like: `up` has put the container's ID in its place;
//   - where another Compose made the containers: what goes into the hash has changed now and then.
//
// So where they differ compose is asked for the hash of what it has rendered itself, which has all of env_file in its place,
// and of the same without what `up --no-deps` forgets. Both were seen to be the label's, in 2.26.1 and 5.6.0.

// drift is in what a service differs from what its containers were made with.
type drift struct {
	drifted bool
	untold  string // why nobody can tell; empty: it is told
}

// compare says of each planned service how it stands.
func (h *appHost) compare(ctx context.Context, l launch, s sight, now hashes) (map[string]drift, error) {
	all := map[string]drift{}
	var differ []string
	for _, service := range h.app.Services {
		if s.madeOtherwise(service.Name, now.by[service.Name]) {
			differ = append(differ, service.Name)
		}
	}
	if len(differ) == 0 {
		return all, nil
	}
	version, err := h.composeIs(ctx)
	if err != nil {
		return nil, err
	}
	second, err := h.secondOpinion(ctx, l, now.pins)
	if err != nil {
		return nil, err
	}
	for _, name := range differ {
		if !s.madeOtherwise(name, append(second.hashes[name], now.by[name])...) {
			continue
		}
		d := drift{untold: s.madeBy(name, version)}
		switch {
		case d.untold != "":
		case second.shares[name]:
			d.untold = "it shares another container's network or the like"
		case second.hashes[name] == nil && !olderThan(version, 2, 22) && olderThan(version, 5, 5):
			d.untold = "this Compose's `config --hash` is not what `up` goes by"
		default:
			d.drifted = true
		}
		all[name] = d
	}
	return all, nil
}

// madeOtherwise reports whether a container of the service carries none of these hashes.
func (s sight) madeOtherwise(service string, hashes ...string) bool {
	return slices.ContainsFunc(s.containers, func(c container) bool {
		return c.Service == service && c.ConfigHash != "" && !slices.Contains(hashes, c.ConfigHash)
	})
}

// madeBy says that another Compose made a service's containers; empty where this one did.
func (s sight) madeBy(service, version string) string {
	for _, c := range s.containers {
		if c.Service == service && c.MadeBy != "" && releaseOf(c.MadeBy) != releaseOf(version) {
			return "Compose " + runbook.OneLine(releaseOf(c.MadeBy)) + " made its containers, and this is " + runbook.OneLine(releaseOf(version))
		}
	}
	return ""
}

// releaseOf is a version without what a distribution adds: Debian's label says 2.26.1, its compose 2.26.1-4.
func releaseOf(version string) string {
	version = strings.TrimPrefix(version, "v")
	if i := strings.IndexAny(version, "-+~"); i >= 0 {
		version = version[:i]
	}
	return version
}

// opinion is what compose says of what it has rendered itself.
type opinion struct {
	hashes map[string][]string // of each service, as `up` may have written them
	shares map[string]bool     // services that share something of another's container
}

// secondOpinion has compose render the stack with these pins and asks for the hashes of that. It holds the stack's secrets
// and stays in memory. Where compose can't read what it has rendered there is none.
func (h *appHost) secondOpinion(ctx context.Context, l launch, pins []runbook.Pin) (opinion, error) {
	o := opinion{hashes: map[string][]string{}, shares: map[string]bool{}}
	r, err := h.askExporting(ctx, render(h.app, l.words, pins))
	if err != nil || r.status != 0 {
		return o, err
	}
	var file map[string]json.RawMessage
	var services map[string]map[string]json.RawMessage
	if json.Unmarshal(r.stdout, &file) != nil || json.Unmarshal(file["services"], &services) != nil {
		return o, nil
	}
	for name, service := range services {
		o.shares[name] = shares(service)
	}
	if err := h.addHashes(ctx, o, r.stdout); err != nil {
		return o, err
	}
	h.forget(services, o.shares)
	if file["services"], err = json.Marshal(services); err != nil {
		return o, nil
	}
	whole, err := json.Marshal(file)
	if err != nil {
		return o, nil
	}
	return o, h.addHashes(ctx, o, whole)
}

// shares reports whether `up` puts a container's ID into a service's configuration.
func shares(service map[string]json.RawMessage) bool {
	for _, key := range []string{"network_mode", "ipc", "pid"} {
		if bytes.HasPrefix(service[key], []byte(`"service:`)) {
			return true
		}
	}
	return len(service["volumes_from"]) > 0 && !bytes.Equal(service["volumes_from"], []byte("null"))
}

// forget leaves of services what `up --no-deps` of the planned ones sees.
func (h *appHost) forget(services map[string]map[string]json.RawMessage, shares map[string]bool) {
	for name, service := range services {
		if !h.app.HasService(name) || shares[name] {
			delete(services, name)
			continue
		}
		var dependsOn map[string]json.RawMessage
		if json.Unmarshal(service["depends_on"], &dependsOn) != nil {
			continue
		}
		for other := range dependsOn {
			if !h.app.HasService(other) || shares[other] {
				delete(dependsOn, other)
			}
		}
		if service["depends_on"], _ = json.Marshal(dependsOn); len(dependsOn) == 0 {
			delete(service, "depends_on")
		}
	}
}

// addHashes adds compose's hashes of a stack that it has rendered. Nothing of it is interpolated by any file: it is whole.
func (h *appHost) addHashes(ctx context.Context, o opinion, stack []byte) error {
	cmd := runbook.Command{Args: slices.Concat(h.app.Compose, []string{"-f", "-", "--env-file", "/dev/null", "--profile", "*", "config", "--hash", "*"}), Dir: h.app.Dir}
	r, err := h.run(ctx, line{Command: cmd, stdin: stack})
	if err != nil || r.status != 0 {
		return err
	}
	for name, hash := range parseHashes(r.stdout) {
		o.hashes[name] = append(o.hashes[name], hash)
	}
	return nil
}

// driftWarnings say what is known, and once what is not.
func (h *appHost) driftWarnings(all map[string]drift) (warnings []string) {
	var untold []string
	for _, service := range h.app.Services {
		switch d := all[service.Name]; {
		case d.drifted:
			warnings = append(warnings, fmt.Sprintf("`up` will change more of %s than its image: its configuration is not the one that its containers were made with", service.Name))
		case d.untold != "":
			untold = append(untold, service.Name+" ("+d.untold+")")
		}
	}
	if len(untold) > 0 {
		warnings = append(warnings, "whether `up` changes more than the images can't be told of "+strings.Join(untold, ", "))
	}
	return warnings
}
