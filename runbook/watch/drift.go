package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// drift tells of hosts that are not as they should be, once nothing has changed on any host for as long as an ordinary
// deployment takes to become known-good: hosts differ for a while whenever somebody deploys, and that is no news.
func (o Observer) drift(ctx context.Context, a runbook.App, views []runbook.View, before watch, now *watch) error {
	now.picture = picture(a, views)
	if now.steady = before.steady; now.picture != before.picture || now.steady.IsZero() {
		now.steady = time.Now()
	}
	if time.Since(now.steady) < o.settling(a) {
		return nil
	}
	var fresh []runbook.DriftPoint
	for _, p := range driftPoints(a, views, before.read.history) {
		if !before.read.history.ToldOfDrift(p.Key) {
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return o.append(ctx, a, before.read, runbook.Drifted{Key: "drift-" + fresh[0].Key, Points: fresh})
}

// settling is how long nothing may have changed before anything is held for lasting.
func (o Observer) settling(a runbook.App) time.Duration { return max(a.VerifyAfter, 2*o.Interval) }

// picture is what all hosts run and have pinned, as text.
func picture(a runbook.App, views []runbook.View) string {
	var all strings.Builder
	for _, s := range views {
		for i, r := range s.Services {
			fmt.Fprintln(&all, s.Host, r.Service, r.Image, r.Note, r.Containers)
			if i < len(s.Pins) {
				fmt.Fprintln(&all, s.Pins[i])
			}
		}
	}
	return all.String()
}

// driftPoints are all deviations there are, pure, so that the table of what is drift and what isn't is tested in one place.
func driftPoints(a runbook.App, views []runbook.View, h history.History) []runbook.DriftPoint {
	var points []runbook.DriftPoint
	add := func(host runbook.Host, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", h.LastChange(), host, text))
		points = append(points, runbook.DriftPoint{Key: hex.EncodeToString(sum[:6]), Host: host, Text: text})
	}
	peers := majority(views)
	for _, s := range views {
		for i, r := range s.Services {
			if peer := peers[r.Service]; r.Image != peer.Image || r.Note != peer.Note {
				add(s.Host, "%s runs %s, and not %s as %s", r.Service, runningText(r.Running), runningText(peer.Running), peer.hosts)
			}
			if by := h.Quarantined(r.Image.Digest); by != "" && h.EndedWell(by) {
				add(s.Host, "%s runs %s, which rollback %s took away and which is quarantined", r.Service, runningText(r.Running), by)
			}
			if i < len(s.Pins) {
				if text := pinDrift(s, r, s.Pins[i], h); text != "" {
					add(s.Host, "%s", text)
				}
			}
		}
	}
	return points
}

// pinDrift says how a pin and what runs have come apart; "" where they haven't, or where that can't be told. A pin that
// isn't there is none: the runbook's own lines export the variables and write nothing.
func pinDrift(s runbook.View, r runbook.ServiceView, pin runbook.Pin, h history.History) string {
	written, rollback := h.Pinned(s.Host, r.Service)
	byRollback := rollback != ""
	value, plain := pin.Plain()
	image, err := runbook.ParseImage(value)
	if digest, alone := runbook.ParseDigest(value); alone == nil {
		image, err = runbook.Image{Name: r.Image.Name, Digest: digest}, nil
	}
	switch {
	case pin.Absent && byRollback && written.Digest == r.Image.Digest:
		return fmt.Sprintf("somebody took %s out of the pins file, where rollback %s wrote it: the next deployment may bring another image", pin.Variable, rollback)
	case pin.Absent, !plain, err != nil, r.Image.IsZero(), image.Digest == r.Image.Digest:
		return ""
	case byRollback && image.Digest == written.Digest:
		return fmt.Sprintf("%s runs %s, and not %s, which rollback %s pinned", r.Service, runningText(r.Running), shortRef(image), rollback)
	case byRollback && r.Image.Digest == written.Digest:
		return fmt.Sprintf("somebody changed %s, which rollback %s wrote: the pins file says %s now, and the next deployment would bring that instead of what runs", pin.Variable, rollback, shortRef(image))
	}
	return fmt.Sprintf("%s in the pins file says %s, but %s runs %s: the next deployment would change that", pin.Variable, shortRef(image), r.Service, runningText(r.Running))
}

func shortRef(image runbook.Image) string { return image.Name + "@" + image.Digest.Short() }

// peer is what most hosts run of a service.
type peer struct {
	runbook.Running
	hosts string // some of them, for people
}

// majority is, for each service, what most hosts run; of as many, what comes first among the hosts.
func majority(views []runbook.View) map[string]peer {
	peers := map[string]peer{}
	if len(views) == 0 {
		return peers
	}
	for i, r := range views[0].Services {
		var best []runbook.Host
		for _, candidate := range views {
			var same []runbook.Host
			for _, s := range views {
				if s.Services[i].Image == candidate.Services[i].Image && s.Services[i].Note == candidate.Services[i].Note {
					same = append(same, s.Host)
				}
			}
			if len(same) > len(best) {
				best = same
				peers[r.Service] = peer{candidate.Services[i].Running, runbook.SomeHosts(same)}
			}
		}
	}
	return peers
}

// runningText is what a service runs, in few words.
func runningText(r runbook.Running) string {
	if r.Image.IsZero() {
		return r.Note
	}
	return r.Image.Name + "@" + r.Image.Digest.Short()
}
