package runbook

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// Plan says exactly what a rollback would do. Who signs off signs its Hash.
type Plan struct {
	App       string           `json:"app"`
	Target    Release          `json:"target"`  // what it goes to
	Running   string           `json:"running"` // the name of the release that runs now; "" when the hosts differ or it is not known
	Hosts     []HostPlan       `json:"hosts"`
	Excluded  []ExcludedHost   `json:"excluded,omitempty"`
	Migration MigrationFacts   `json:"migration"`
	Changes   *Changes         `json:"changes,omitempty"`  // between the target and what runs, as the source has it; nil: it isn't asked
	Warnings  []string         `json:"warnings,omitempty"` // what a person should know before signing
	Missing   map[Host][]Image `json:"missing,omitempty"`  // fetched while the sign-off is awaited
	Exact     bool             `json:"exact,omitempty"`    // the target was given image by image
	Evidence  []Criterion      `json:"evidence,omitempty"` // the runbook's criteria as they stood when it was made; not signed
}

// HostPlan is the part of a plan that one host carries out.
type HostPlan struct {
	Host     Host          `json:"host"`
	Project  string        `json:"project"`  // the compose project
	EnvFile  string        `json:"env_file"` // the file of the pins, links resolved
	Services []ServicePlan `json:"services"`
	// Launch is a HostReport's; none: as configured.
	Launch     []string    `json:"launch,omitempty"`
	Dependents []Dependent `json:"dependents,omitempty"`
	Commands
}

// Images are those that the plan goes to, each once, in the services' order: Pulls has a command for each.
func (h HostPlan) Images() []Image {
	var images []Image
	for _, s := range h.Services {
		if !slices.Contains(images, s.To) {
			images = append(images, s.To)
		}
	}
	return images
}

// Pull is the plan's command that fetches an image.
func (h HostPlan) Pull(image Image) Command {
	if i := slices.Index(h.Images(), image); i >= 0 && i < len(h.Pulls) {
		return h.Pulls[i]
	}
	return Command{}
}

// Pins are the lines that the plan writes into EnvFile.
func (h HostPlan) Pins() []Pin {
	pins := make([]Pin, len(h.Services))
	for i, s := range h.Services {
		pins[i] = Pin{Variable: s.Variable, Value: cmp.Or(s.Pin, s.To.String())}
	}
	return pins
}

// To is where each service goes on this host.
func (h HostPlan) To() map[string]Image {
	images := map[string]Image{}
	for _, s := range h.Services {
		images[s.Service] = s.To
	}
	return images
}

// From is what each service runs on this host now; unknown images are left out.
func (h HostPlan) From() map[string]Image {
	images := map[string]Image{}
	for _, s := range h.Services {
		if !s.From.IsZero() {
			images[s.Service] = s.From
		}
	}
	return images
}

// Host gives the part of the plan that a host carries out; false when the plan leaves it out.
func (p Plan) Host(name Host) (HostPlan, bool) {
	for _, h := range p.Hosts {
		if h.Host == name {
			return h, true
		}
	}
	return HostPlan{}, false
}

// Reversible reports whether every image that the plan replaces is known and can be pinned, so that there is a way back.
func (p Plan) Reversible() bool {
	for _, h := range p.Hosts {
		if len(h.From()) != len(h.Services) || slices.ContainsFunc(h.Services, func(s ServicePlan) bool { return s.Pin != "" && s.PinBack == "" }) {
			return false
		}
	}
	return len(p.Hosts) > 0
}

// Reverse is the plan that goes back to what this one started from, host by host, with the lines for that. The plan must
// be Reversible.
func (p Plan) Reverse(commands func(HostPlan) Commands) Plan {
	back := p
	back.Hosts = make([]HostPlan, len(p.Hosts))
	for i, h := range p.Hosts {
		services := slices.Clone(h.Services)
		for j := range services {
			services[j].From, services[j].To, services[j].FromNote = services[j].To, services[j].From, ""
			services[j].Pin, services[j].PinBack = services[j].PinBack, services[j].Pin
		}
		h.Services = services
		h.Commands = commands(h)
		back.Hosts[i] = h
	}
	back.Missing = nil
	return back
}

// Complete reports whether the host was seen to run all that the plan has for it, whatever its command said. Who is only to
// be restarted may still be behind.
func (h HostPlan) Complete(view View) bool {
	return view.Runs(h.To()) && !view.Stopped() && !h.fewer(view) && h.CutOff(view) == nil
}

// fewer reports whether a service has fewer containers than before: a deployment that was cut off leaves some out.
func (h HostPlan) fewer(view View) bool {
	for i, s := range view.Services {
		if s.Containers < h.Services[i].Containers {
			return true
		}
	}
	return false
}

// ServicePlan is where one service goes on one host.
type ServicePlan struct {
	Service    string  `json:"service"`
	Variable   string  `json:"variable"`
	From       Image   `json:"from"`                // zero: not known
	FromNote   string  `json:"from_note,omitempty"` // why From is not known
	FromMix    []Image `json:"from_mix,omitempty"`  // what its containers run where that isn't one image; sorted, the known ones alone
	To         Image   `json:"to"`
	Pin        string  `json:"pin,omitempty"`      // what the variable says for To; empty: To itself
	PinBack    string  `json:"pin_back,omitempty"` // the same for From, where there is a Pin; empty: nothing says it
	Containers int     `json:"containers"`         // how many run, all of which are replaced
	Scale      int     `json:"scale,omitempty"`    // more run than the file says: kept by --scale; 0: as the file says
	ConfigHash string  `json:"config_hash"`        // compose's hash of the service with what runs now
	Drifted    bool    `json:"drifted,omitempty"`  // up will change more than the image
}

// Replaced are the known images that the service's containers run now.
func (s ServicePlan) Replaced() []Image {
	if s.From.IsZero() {
		return s.FromMix
	}
	return []Image{s.From}
}

// FromText is what a signature covers of what runs now.
func (s ServicePlan) FromText() string {
	refs := []string{}
	for _, image := range s.Replaced() {
		refs = append(refs, image.String())
	}
	return strings.Join(refs, ",")
}

// Knows reports whether an image is the plan's start or its target for the service. One without a digest has nothing
// to be told by: where such a one ran, it is the start.
func (s ServicePlan) Knows(image Image) bool {
	return image.Digest == s.To.Digest || image.Digest == s.From.Digest ||
		slices.ContainsFunc(s.FromMix, func(mixed Image) bool { return mixed.Digest == image.Digest })
}

// ExcludedHost is a host that could not be reached and is left as it is.
type ExcludedHost struct {
	Host Host   `json:"host"`
	Why  string `json:"why"`
}

// MigrationFacts is what is proven about migrations between the target and what runs.
type MigrationFacts struct {
	// None is true only where it is proven for every release after the target, up to the one that runs.
	None bool `json:"none"`
	// Releases says it release by release, oldest first.
	Releases []ReleaseFact `json:"releases"`
	Why      string        `json:"why,omitempty"` // what is missing for a proof
}

// ReleaseFact is what is known about one release's migration.
type ReleaseFact struct {
	ID        string    `json:"id,omitempty"` // empty where it is no one release, and in plans of older versions
	Release   string    `json:"release"`      // its name
	Migration Migration `json:"migration"`
	Source    string    `json:"source"` // "deployment note", or "seen running, no note"
}

// Hash is the SHA-256, in 64 hex digits, of the canonical JSON of what a signature covers: app, hosts, excluded hosts,
// per host and service from and to, the command templates in order, config hashes, and migration facts, with what the
// source says of commits and migration files. Who asked,
// when, why, and the rollback's ID are not in it, so that every door gives the same plan the same hash.
// Canonical: object keys sorted, no white space, no HTML escapes.
func (p Plan) Hash() string {
	sum := sha256.Sum256(p.canonical())
	return hex.EncodeToString(sum[:])
}

func (p Plan) canonical() []byte {
	hosts := make([]any, 0, len(p.Hosts))
	for _, h := range p.Hosts {
		hosts = append(hosts, h.canonical())
	}
	excluded := make([]string, 0, len(p.Excluded))
	for _, e := range p.Excluded {
		excluded = append(excluded, string(e.Host))
	}
	slices.Sort(excluded)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	// Maps and strings always encode.
	_ = encoder.Encode(map[string]any{
		"app": p.App, "hosts": hosts, "excluded": excluded,
		"migration": p.migrationSigned(),
	})
	return bytes.TrimSpace(out.Bytes())
}

// migrationSigned is what a signature covers of migrations. What a release is called is not in it: that may be learnt
// after the plan was signed, and changes nothing.
func (p Plan) migrationSigned() any {
	releases := make([]any, 0, len(p.Migration.Releases))
	for _, r := range p.Migration.Releases {
		releases = append(releases, map[string]any{"release": cmp.Or(r.ID, r.Release), "migration": r.Migration, "source": r.Source})
	}
	migration := map[string]any{"none": p.Migration.None, "releases": releases}
	if p.Changes.Told() {
		migration["changes"] = p.Changes.canonical()
	}
	return migration
}

func (h HostPlan) canonical() any {
	services := make([]any, 0, len(h.Services))
	for _, s := range h.Services {
		services = append(services, map[string]any{
			"service": s.Service, "from": s.FromText(), "to": s.To.String(), "config_hash": s.ConfigHash, "drifted": s.Drifted,
		})
	}
	commands := make([]any, 0, len(h.Pulls)+3)
	for _, c := range h.Pulls {
		commands = append(commands, c.canonical())
	}
	pins := []string{}
	for _, pin := range h.Pins() {
		pins = append(pins, pin.Variable+"="+pin.Value)
	}
	commands = append(commands, map[string]any{"file": h.EnvFile, "pins": pins}, h.Prove.canonical(), h.Up.canonical())
	if len(h.Restart.Args) > 0 {
		commands = append(commands, h.Restart.canonical())
	}
	return map[string]any{"host": string(h.Host), "services": services, "commands": commands}
}

func (c Command) canonical() any {
	return map[string]any{"dir": c.Dir, "env": append([]string{}, c.Env...), "args": c.Args}
}
