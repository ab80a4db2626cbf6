package runbook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// survey is what the preflight learns of one host before a target is chosen.
type survey struct {
	Sight
	envFile    string // links resolved
	envContent []byte // the file of the pins, which holds secrets: never leaves this process
	envSum     string // its SHA-256, or "absent"
	freeBytes  int64  // on docker's disk; -1: not known
	lock       string // who holds the app's lock there, for people; "": nobody does
	lockedBy   string // by which rollback, or what stands for one; "": nobody, or it can't be read
	hashes     hashes // asked for before it was known what runs
}

// surveyHost reads everything of a host that doesn't depend on the target, and checks that a rollback could act there.
// Before and Rollback are those of the Planner.
func surveyHost(ctx context.Context, target Target, host Host, a App, p Planner) (survey, error) {
	s := survey{freeBytes: -1}
	before, planned := p.before(host)
	var around map[string]string
	looks := []func(context.Context) error{
		func(ctx context.Context) (err error) { around, err = lookRound(ctx, target, host, a); return err },
		func(ctx context.Context) (err error) {
			began := time.Now()
			if s.Sight, err = lookTogether(ctx, target, host, a, before.Project); err == nil {
				p.recall.saw(host, s.Sight, began)
			}
			return err
		},
	}
	if planned {
		// Where that fails, or something else runs by now, it is asked again, and says what is wrong.
		looks = append(looks, func(ctx context.Context) error {
			s.hashes, _ = askHashes(ctx, target, host, a, pinsFor(a, before.From()))
			return nil
		})
	}
	if p.Before == nil {
		looks = slices.Insert(looks, 1, func(ctx context.Context) error { return checkEngine(ctx, target, host, a) },
			func(ctx context.Context) (err error) {
				s.lock, s.lockedBy, err = lockNote(ctx, target, host, a, p.Rollback)
				return err
			})
	}
	if err := together(ctx, looks...); err != nil {
		return survey{}, err
	}
	if kib, err := strconv.ParseInt(around["free_kib"], 10, 64); err == nil {
		s.freeBytes = kib * 1024
	}
	s.envFile = around["env_file"]
	if err := s.readPins(ctx, target, a, around["env"] == "absent"); err != nil {
		return survey{}, err
	}
	return s, s.checkStack(a)
}

// lookRound is the part of the survey that has nothing to do with docker.
func lookRound(ctx context.Context, target Target, host Host, a App) (map[string]string, error) {
	result, err := target.Run(ctx, lookAround(a))
	if err != nil {
		return nil, err
	}
	if result.Status != 0 {
		return nil, dockerProblem(host, a, "enter "+a.Dir, result)
	}
	around := parseLease(result.Stdout)
	switch {
	case around["missing"] != "":
		return nil, problem(host, "Install util-linux and coreutils there", "a rollback needs these, which a login shell doesn't find:%s", around["missing"])
	case around["compose_file"] == "":
		return nil, problem(host, "Check DIR and COMPOSE_FILE", "there is no readable compose file %s in %s", a.ComposeFile, a.Dir)
	}
	return around, pinsFileProblem(host, around)
}

// pinsFileProblem says why the pins file can't be replaced; nil where it can. The remedy is a line for root there.
func pinsFileProblem(host Host, around map[string]string) error {
	file := around["env_file"]
	user, group, _ := strings.Cut(around["user"], ":")
	switch around["pins"] {
	case "replaceable":
		return nil
	case "no-folder":
		return problem(host, "Check ENV_FILE, or make the folder there: mkdir -p "+Quote(path.Dir(file)), "the pins file would be %s, and there is no such folder", file)
	case "no-file":
		return problem(host, "Check ENV_FILE", "the pins file, %s, is no file", file)
	case "unreadable":
		return problem(host, "Let the SSH user own it, as root there: chown "+Quote(user)+" "+Quote(file), "the pins file, %s, can't be read by the SSH user", file)
	case "unwritable":
		return problem(host, "Let the SSH user write there, as root: chown "+Quote(user)+" "+Quote(path.Dir(file)), "the pins file, %s, can't be replaced: the SSH user may not write into its folder", file)
	case "owner":
		owner := user
		if around["group"] == "" {
			owner += ":" + group
		}
		return problem(host, "Let the SSH user own it, as root there: chown "+Quote(owner)+" "+Quote(file), "the pins file, %s, belongs to %s: the SSH user can't replace it without changing that", file, around["owner"])
	}
	return problem(host, "Log in there as the SSH user, and see whether a file can be written beside it", "whether the pins file, %s, can be replaced could not be tried", file)
}

// lockNote says who holds the app's lock on a host. It is a note and no problem: it may run out before anybody has
// decided, and it is looked at again, under the lock itself, before anything is changed. By is the rollback that holds it.
func lockNote(ctx context.Context, target Target, host Host, a App, own string) (note, by string, err error) {
	held, err := lookAtLock(ctx, target, host, a.Name)
	var lease *LeaseError
	switch {
	case errors.As(err, &lease):
		return err.Error(), "", nil
	case err != nil:
		return "", "", err
	case held.free() || held.Rollback == own && own != "":
		return "", "", nil
	}
	return held.Error(), held.Rollback, nil
}

func checkEngine(ctx context.Context, target Target, host Host, a App) error {
	return together(ctx,
		func(ctx context.Context) error {
			result, err := target.Run(ctx, engineVersion(a))
			if err == nil && result.Status != 0 {
				err = dockerProblem(host, a, "ask the docker engine", result)
			}
			return err
		},
		func(ctx context.Context) error {
			result, err := target.Run(ctx, composeVersion(a))
			if err == nil && result.Status != 0 {
				err = dockerProblem(host, a, "run compose", result)
			}
			if version := strings.TrimPrefix(strings.TrimSpace(string(result.Stdout)), "v"); err == nil && strings.HasPrefix(version, "1.") {
				err = problem(host, "Install the docker-compose-plugin package, or set COMPOSE_COMMAND", "this is Docker Compose %s: version 2 or newer is needed", version)
			}
			return err
		})
}

// readPins reads the file of the pins.
func (s *survey) readPins(ctx context.Context, target Target, a App, absent bool) error {
	if absent {
		s.envSum = "absent"
		return nil
	}
	result, err := target.Run(ctx, readFile(a, s.envFile))
	if err != nil {
		return err
	}
	if result.Status != 0 {
		return problem(s.Host, "Let the SSH user read and write it", "the file of the pins, %s, can't be read", s.envFile)
	}
	s.envContent, s.envSum = result.Stdout, sumOf(result.Stdout)
	return nil
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// checkStack proves that the compose file takes every planned service's image from its variable, and that nothing
// else which runs for long takes one of them.
func (s survey) checkStack(a App) error {
	var problems []Problem
	say := func(remedy, format string, args ...any) {
		problems = append(problems, Problem{Host: s.Host, What: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	for _, service := range a.Services {
		view, ok := s.Stack.Services[service.Name]
		switch {
		case !ok:
			say("Check IMAGES", "the compose file has no service %q", service.Name)
		case view.Image != placeholder(service):
			say(fmt.Sprintf("Write `image: ${%s}` for %s in the compose file", service.Variable, service.Name),
				"%s doesn't take its image from %s, so a rollback would change nothing", service.Name, service.Variable)
		}
	}
	for _, name := range sortedKeys(s.Stack.Services) {
		if fed, ok := s.fed(a, name); ok && (s.Stack.Services[name].Restarts || s.runsNow(name)) {
			say(fmt.Sprintf("Add %s=%s to IMAGES", name, fed.Variable), "%s takes %s too and would be left on the failed image", name, fed.Variable)
		}
	}
	if len(s.Stack.Unset) > 0 {
		say("Write them into "+a.EnvPath()+" or the login shell's profile", "compose would start containers with blanks, since these variables are not set in a login shell: %s", strings.Join(s.Stack.Unset, ", "))
	}
	if len(problems) > 0 {
		return &PreflightError{Problems: problems}
	}
	return nil
}

// fed finds the planned variable that an unplanned service takes its image from.
func (s survey) fed(a App, name string) (Service, bool) {
	if a.HasService(name) {
		return Service{}, false
	}
	for _, service := range a.Services {
		if s.Stack.Services[name].Image == placeholder(service) {
			return service, true
		}
	}
	return Service{}, false
}

func (s survey) runsNow(name string) bool {
	return slices.ContainsFunc(s.Others, func(c container) bool {
		return c.Service == name && c.State == "running" && !strings.EqualFold(c.OneOff, "true")
	})
}

// hostFacts is what the preflight learns of one host for one target.
type hostFacts struct {
	plan     HostPlan
	missing  []Image
	warnings []string
}

// planHost proves that a host can go to the target, and says what exactly that takes. again says that the Planner has a plan from Before.
func (s survey) planHost(ctx context.Context, target Target, a App, to Release, again bool) (hostFacts, error) {
	var hashes map[string]string
	var missing []Image
	looks := []func(context.Context) error{
		func(ctx context.Context) (err error) { hashes, err = s.hashesNow(ctx, target, a); return err },
	}
	if !again {
		looks = append(looks,
			func(ctx context.Context) error { return s.proveTarget(ctx, target, a, to) },
			func(ctx context.Context) error { return s.provePins(ctx, target, a) },
			func(ctx context.Context) (err error) { missing, err = s.presence(ctx, target, a, to); return err },
		)
	}
	if err := together(ctx, looks...); err != nil {
		return hostFacts{}, err
	}
	services, warnings := s.services(a, to, hashes)
	return hostFacts{plan: newHostPlan(a, s.Host, s.Project, s.envFile, services), missing: missing, warnings: warnings}, nil
}

func pinsFor(a App, images map[string]Image) []Pin {
	pins := make([]Pin, len(a.Services))
	for i, service := range a.Services {
		pins[i] = Pin{Variable: service.Variable, Value: images[service.Name].String()}
	}
	return pins
}

// proveTarget renders the stack with the plan's images and wants to see each of them where it belongs.
func (s survey) proveTarget(ctx context.Context, target Target, a App, to Release) error {
	stack, err := renderStack(ctx, target, s.Host, a, pinsFor(a, to.Images))
	if err != nil {
		return err
	}
	for _, service := range a.Services {
		if got, want := stack.Services[service.Name].Image, to.Images[service.Name].String(); got != want {
			return problem(s.Host, fmt.Sprintf("Write `image: ${%s}` for it in the compose file", service.Variable), "compose would run %s as %s and not as %s", service.Name, got, want)
		}
	}
	return nil
}

// provePins makes sure that compose reads the pins from the file in which they stand. Where a variable doesn't stand
// there yet, the proof is made after the pins are written and before anything is brought up.
func (s survey) provePins(ctx context.Context, target Target, a App) error {
	stood := ReadPins(s.envContent, a)
	for _, pin := range stood {
		if _, plain := pin.Plain(); pin.Absent || !plain {
			return nil
		}
	}
	stack, err := renderStack(ctx, target, s.Host, a, nil)
	if err != nil {
		return err
	}
	for i, service := range a.Services {
		if got := stack.Services[service.Name].Image; got != plainValue(stood[i]) {
			return problem(s.Host, fmt.Sprintf("Take %s out of the login shell's profile, or point ENV_FILE at the file that compose reads", service.Variable),
				"%s says %s=%s, but compose reads %s: pins written there would not count", s.envFile, service.Variable, plainValue(stood[i]), got)
		}
	}
	return nil
}

func plainValue(p Pin) string {
	value, _ := p.Plain()
	return value
}

// hashesNow renders the stack with exactly what runs now: where compose's hash of a service then isn't the one that
// its containers carry, `up` will change more than the image.
func (s survey) hashesNow(ctx context.Context, target Target, a App) (map[string]string, error) {
	var pins []Pin
	for _, service := range a.Services {
		value := placeholder(service)
		for _, c := range s.Containers {
			if c.Service == service.Name {
				value = c.Ref
			}
		}
		pins = append(pins, Pin{Variable: service.Variable, Value: value})
	}
	if s.hashes.by != nil && slices.Equal(s.hashes.pins, pins) {
		return s.hashes.by, nil
	}
	now, err := askHashes(ctx, target, s.Host, a, pins)
	return now.by, err
}

// hashes are compose's, of each service's configuration with those pins.
type hashes struct {
	pins []Pin
	by   map[string]string // service to hash
}

func askHashes(ctx context.Context, target Target, host Host, a App, pins []Pin) (hashes, error) {
	result, err := target.Run(ctx, configHashes(a, pins))
	if err != nil {
		return hashes{}, err
	}
	if result.Status != 0 {
		return hashes{}, dockerProblem(host, a, "ask compose for its configuration hashes", result)
	}
	return hashes{pins: pins, by: parseHashes(result.Stdout)}, nil
}

func (s survey) services(a App, to Release, hashes map[string]string) (plans []ServicePlan, warnings []string) {
	for i, service := range a.Services {
		running := s.Running[i]
		plan := ServicePlan{
			Service: service.Name, Variable: service.Variable, From: running.Image, FromNote: running.Note, To: to.Images[service.Name],
			FromMix: s.mix(service.Name), Containers: running.Containers, ConfigHash: hashes[service.Name],
		}
		wanted := s.Stack.Services[service.Name].Scale
		switch {
		case running.Containers > wanted:
			plan.Scale = running.Containers
		case running.Containers < wanted:
			warnings = append(warnings, fmt.Sprintf("%s: %s runs in %d containers, the compose file says %d: `up` starts the others", s.Host, service.Name, running.Containers, wanted))
		}
		for _, c := range s.Containers {
			plan.Drifted = plan.Drifted || c.Service == service.Name && c.ConfigHash != hashes[service.Name]
		}
		if plan.Drifted {
			warnings = append(warnings, fmt.Sprintf("%s: `up` will change more of %s than its image: its configuration is not the one that its containers were made with", s.Host, service.Name))
		}
		plans = append(plans, plan)
	}
	if s.lock != "" {
		warnings = append(warnings, s.lock)
	}
	return plans, append(warnings, s.fileWarnings(a)...)
}

func (s survey) fileWarnings(a App) (warnings []string) {
	for _, name := range sortedKeys(s.Stack.Services) {
		service := s.Stack.Services[name]
		if fed, ok := s.fed(a, name); ok {
			warnings = append(warnings, fmt.Sprintf("%s: %s takes %s too; it is a one-shot and is not started", s.Host, name, fed.Variable))
		}
		for _, planned := range a.Services {
			if slices.Contains(service.Variables, planned.Variable) {
				warnings = append(warnings, fmt.Sprintf("%s: %s has %s in its environment (env_file?): the new pin changes its configuration", s.Host, name, planned.Variable))
				break
			}
		}
	}
	return warnings
}

// diskFactor is how much room an image takes on the disk for each compressed byte of it. Layers of Debian-based images
// unpack to about 2.5 times their size, and the compressed ones lie beside them while they are unpacked.
const diskFactor = 4

// presence finds the images that the host lacks, and makes sure that each of them could be fetched and would fit.
func (s survey) presence(ctx context.Context, target Target, a App, to Release) ([]Image, error) {
	missing, _, err := missingImages(ctx, target, s.Host, a, to.Images)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	var need int64
	for _, image := range missing {
		result, err := target.Run(ctx, readManifest(a, image))
		if err != nil {
			return nil, err
		}
		if result.Status != 0 {
			return nil, absentImage(s.Host, image, result)
		}
		need += manifestSize(result.Stdout) * diskFactor
	}
	if s.freeBytes >= 0 && need > s.freeBytes {
		return nil, problem(s.Host, "Free some, as by `docker image prune`, which leaves what containers use", "the missing images need about %d MiB on docker's disk, and %d MiB are free", need>>20, s.freeBytes>>20)
	}
	return missing, nil
}

// missingImages finds which images a host lacks, and what docker says of the others.
func missingImages(ctx context.Context, target Target, host Host, a App, images map[string]Image) (missing []Image, here []imageView, err error) {
	var wanted []Image
	var refs []string
	for _, service := range a.Services {
		if image := images[service.Name]; !slices.Contains(wanted, image) {
			wanted, refs = append(wanted, image), append(refs, image.String())
		}
	}
	if here, err = imagesOf(ctx, target, host, a, refs); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(wanted, func(image Image) bool {
		return slices.ContainsFunc(here, func(v imageView) bool { return slices.Contains(v.Digests, image.String()) })
	}), here, nil
}

func absentImage(host Host, image Image, r Result) error {
	text := strings.ToLower(string(r.Stderr))
	switch {
	case strings.Contains(text, "unauthorized"), strings.Contains(text, "denied"), strings.Contains(text, "no basic auth"):
		return problem(host, "Run `docker login` there as the SSH user", "the registry doesn't let this host read %s", image)
	case strings.Contains(text, "manifest unknown"), strings.Contains(text, "no such manifest"), strings.Contains(text, "not found"):
		return problem(host, "Choose another release; `history` lists them", "%s is neither on this host nor in the registry", image)
	}
	return problem(host, "Mend the registry, or choose a release whose images lie on the host", "%s is not on this host, and the registry doesn't answer for it: %s", image, lastLines(r.Stderr, 1))
}

// unreachable reports whether an error means that a host could not be reached, and why.
func unreachable(err error) (string, bool) {
	var host *HostError
	if errors.As(err, &host) && host.Unreachable {
		return host.Problem, true
	}
	if errors.Is(err, ErrLost) || errors.Is(err, context.DeadlineExceeded) {
		return "it did not answer in the time that the preflight has", true
	}
	return "", false
}
