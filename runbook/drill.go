package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A drill is a whole rollback, with its people, questions, deadlines and messages, on hosts on which nothing changes. Its ID
// says so, and so whoever has the ID knows: the letter l is in no real rollback's ID, since newID never uses it.
const drillPrefix = "rb-drill"

// IsDrill reports whether an ID is that of a drill.
func IsDrill(rollback string) bool { return strings.HasPrefix(rollback, drillPrefix) }

// Drill reports whether the rollback is one.
func (rb Rollback) Drill() bool { return IsDrill(rb.ID) }

// NotProven is what a drill leaves unproven, a sentence without a full stop each.
func (rb Rollback) NotProven() []string {
	missing := 0
	for _, images := range rb.Plan.Missing {
		missing += len(images)
	}
	proven := []string{
		"no container was replaced, so that the target comes up was not seen; health and error rate are those of what runs now",
		"the pins were not written: compose was asked with them in its environment instead, where nothing else can win over them",
		"the app's lock was looked at, and not taken",
	}
	if missing > 0 {
		proven = append(proven, fmt.Sprintf("the images that hosts lack, %d in all, were looked up in the registry, and not fetched", missing))
	}
	return append(proven, "nothing was quarantined, and no ticket was opened")
}

// DrillHosts are the hosts of one app for a drill: what only reads is run on them, and what would change something is printed
// instead, and taken as done from then on by a stand-in for the host. A command that is neither is refused.
type DrillHosts struct {
	App   App
	Hosts Hosts
	// Print gets every command that would have changed something; nil: nobody does. It may be called by several goroutines.
	Print func(host Host, command string)

	mu      sync.Mutex
	targets map[Host]*drillTarget
}

var _ Hosts = (*DrillHosts)(nil)

// Target gives the stand-in for a host.
func (d *DrillHosts) Target(host Host) Target {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.targets == nil {
		d.targets = map[Host]*drillTarget{}
	}
	if d.targets[host] == nil {
		d.targets[host] = &drillTarget{app: d.App, host: host, real: d.Hosts.Target(host), print: d.Print, pulled: map[string]bool{}, up: map[string]drillImage{}}
	}
	return d.targets[host]
}

// drillTarget stands in for one host.
type drillTarget struct {
	app   App
	host  Host
	real  Target
	print func(Host, string)

	mu     sync.Mutex
	file   string                // of the pins, once they were "written"
	env    []byte                // its content since
	pulled map[string]bool       // the images that were "fetched"
	up     map[string]drillImage // what each service "runs" since its containers were "replaced"
}

// drillImage is an image as the containers of a drill have it.
type drillImage struct {
	ref, id string
}

// Run runs what reads, and stands in for everything else.
func (t *drillTarget) Run(ctx context.Context, cmd Command) (Result, error) {
	words := cmd.Args
	switch {
	case isGuard(words):
		return t.guard(ctx, cmd)
	case startsWith(words, t.app.docker("pull").Args):
		return t.change(ctx, cmd)
	case startsWith(words, t.app.compose("config").Args):
		return t.real.Run(ctx, t.pinned(cmd))
	case startsWith(words, readFile(t.app, "").Args[:1]):
		return t.read(ctx, cmd)
	case startsWith(words, t.app.docker("image", "inspect").Args):
		return t.images(ctx, cmd)
	case startsWith(words, t.app.docker("inspect").Args):
		return t.containers(ctx, cmd)
	case t.reads(words):
		return t.real.Run(ctx, cmd)
	}
	return Result{}, &HostError{Host: t.host, Problem: "a drill doesn't know whether this changes something, so it is not run: " + Truncate(cmd.String(), 200), Remedy: "report it as a defect of the bot"}
}

func startsWith(words, with []string) bool {
	return len(words) >= len(with) && slices.Equal(words[:len(with)], with)
}

func isGuard(words []string) bool {
	return len(words) > 4 && words[0] == "sh" && words[2] == guardScript
}

// reads reports whether a command only looks.
func (t *drillTarget) reads(words []string) bool {
	around, log := lookAround(t.app).Args, readLog(t.app, "").Args
	for _, look := range [][]string{
		t.app.docker("version").Args, composeVersion(t.app).Args, t.app.docker("ps").Args, t.app.docker("manifest", "inspect").Args,
		around[:4], log[:len(log)-1], {"date"},
	} {
		if startsWith(words, look) {
			return true
		}
	}
	return false
}
