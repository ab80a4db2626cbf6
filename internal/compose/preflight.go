package compose

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollbackbot/internal/compose/dotenv"
	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// Preflight reads everything of the host that a plan needs whatever its target is, and checks that a rollback could act
// there.
func (h *appHost) Preflight(ctx context.Context, again bool) (runbook.HostReport, error) {
	began := time.Now()
	var around surroundings
	var stack rendered
	var s sight
	var content []byte
	var guessed hashes
	known := h.memory.recall()
	l, err := h.launched(ctx)
	if err != nil {
		return runbook.HostReport{}, err
	}
	called, fresh := l, l
	looks := []func(context.Context) error{
		func(ctx context.Context) (err error) { around, err = h.lookAround(ctx, l); return err },
		func(ctx context.Context) (err error) {
			stack, s, err = h.stackAndSight(ctx, &called)
			return err
		},
		func(ctx context.Context) (err error) {
			content, _, err = h.readPinsFile(ctx, l.pins)
			return err
		},
	}
	if !again {
		looks = slices.Insert(looks, 1, h.checkEngine)
	}
	if known.refs != nil {
		// Where that fails, or something else runs by now, it is asked again, and says what is wrong.
		looks = append(looks, func(ctx context.Context) error { guessed, _ = h.askHashes(ctx, l, known.refs); return nil })
	}
	if len(known.launch.files) > 0 {
		// What an earlier look found out is only where this one begins: a project goes, and another comes.
		looks = append(looks, func(ctx context.Context) (err error) { fresh, err = h.discover(ctx); return err })
	}
	err = parallel.Do(ctx, looks...)
	if len(fresh.files) > 0 && !fresh.same(l) {
		return h.Preflight(ctx, again)
	}
	if err != nil {
		return runbook.HostReport{}, err
	}
	if err := h.checkStack(stack, s); err != nil {
		return runbook.HostReport{}, err
	}
	dependents := h.dependents(stack, s)
	report := runbook.HostReport{View: h.view(s, dotenv.ReadPins(content, h.app), began), PinsFile: around.pinsFile, FreeBytes: around.freeBytes, DiskBytes: around.diskBytes, MakeRoom: makeRoom, ClockOff: around.clockOff}
	report.Dependents, report.Launch = dependents, h.planned(called)
	now := guessed.by
	checks := []func(context.Context) error{func(ctx context.Context) (err error) {
		if refs := h.refs(s); now == nil || !slices.Equal(guessed.pins, refs) || !slices.Equal(l.words, called.words) {
			guessed, err = h.askHashes(ctx, called, refs)
			now = guessed.by
		}
		return err
	}}
	var strangers []runbook.Stranger
	var twins []string
	if !again {
		checks = append(checks,
			func(ctx context.Context) error { return h.checkPins(ctx, called, report) },
			func(ctx context.Context) error { return h.checkDependents(ctx, dependents, stack, s) },
			func(ctx context.Context) (err error) {
				strangers, twins, err = h.strangers(ctx, stack, s, dependents)
				return err
			})
	}
	if err := parallel.Do(ctx, checks...); err != nil {
		return runbook.HostReport{}, err
	}
	report.Strangers = strangers // now: checkPins reads the report at the same time
	var told map[string]drift
	var blank blanks
	if err := parallel.Do(ctx,
		func(ctx context.Context) (err error) { told, err = h.compare(ctx, called, s, guessed); return err },
		func(ctx context.Context) (err error) { blank, err = h.findBlanks(ctx, called, stack.Unset); return err }); err != nil {
		return runbook.HostReport{}, err
	}
	warnings, err := blank.judge(ctx, h, s, told)
	if err != nil {
		return runbook.HostReport{}, err
	}
	h.report(&report, stack, now, told)
	report.Warnings = slices.Concat(report.Warnings, warnings, called.warnings, h.dependentWarnings(dependents, stack, s), s.undefined(stack), twins)
	return report, nil
}

// makeRoom names no prune: docker counts an image that has a digest and no tag, as a former release that was pulled by digest,
// among those that nobody needs (moby's daemon/images/image_prune.go).
const makeRoom = "Free some there: `docker system df -v` says what images and volumes take; `docker image prune` would take former releases too"

// report adds what is told by the app's files and compose's hashes.
func (h *appHost) report(r *runbook.HostReport, stack rendered, now map[string]string, told map[string]drift) {
	for i, service := range h.app.Services {
		running := r.Services[i]
		of := runbook.ServiceReport{Scale: stack.Services[service.Name].Scale, ConfigHash: now[service.Name], Drifted: told[service.Name].drifted}
		if running.Containers < of.Scale {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s runs in %d containers, the compose file says %d: `up` starts the others", service.Name, running.Containers, of.Scale))
		}
		r.Stack = append(r.Stack, of)
	}
	r.Warnings = slices.Concat(r.Warnings, h.driftWarnings(told), h.fileWarnings(stack), h.tagWarnings(h.formsOf(stack)))
}

// stackAndSight renders the stack and looks at what runs; at the same time where the project's name is known from before.
// The launch gets what only the two together say: the project's name, and the profiles of what runs.
func (h *appHost) stackAndSight(ctx context.Context, l *launch) (stack rendered, s sight, err error) {
	l.words, l.warnings = slices.Clone(l.words), slices.Clone(l.warnings) // the others keep theirs
	if l.project != "" {
		err = parallel.Do(ctx,
			func(ctx context.Context) (err error) { stack, err = h.render(ctx, *l, h.placeholders()); return err },
			func(ctx context.Context) (err error) { s, _, err = h.sight(ctx, l.project, ""); return err })
	} else if stack, err = h.render(ctx, *l, h.placeholders()); err == nil {
		s, _, err = h.sight(ctx, stack.Project, "")
	}
	if err != nil {
		return stack, s, err
	}
	if stack.Project != s.project {
		// What runs has a name by -p, or by a folder that is called otherwise now.
		l.words = append([]string{"-p", s.project}, l.words...)
		l.warnings = append(l.warnings, fmt.Sprintf("what runs is the project %s, and the files alone would be the project %s: the commands have `-p %s`", s.project, stack.Project, s.project))
		stack.Project = s.project
	}
	if err = h.reveal(ctx, l, stack, s); err == nil {
		h.memory.calls(*l, h.formsOf(stack))
	}
	return stack, s, err
}

// surroundings are what a preflight learns of a host besides docker.
type surroundings struct {
	pinsFile  string
	freeBytes int64
	diskBytes int64
	clockOff  time.Duration
}

func (h *appHost) lookAround(ctx context.Context, l launch) (surroundings, error) {
	asked := time.Now()
	r, err := h.ask(ctx, lookAround(h.app, l))
	answered := time.Now()
	if err != nil {
		return surroundings{}, err
	}
	if r.status != 0 {
		return surroundings{}, h.dockerProblem("enter "+h.app.Dir, r)
	}
	fields := r.fields()
	switch {
	case fields["missing"] != "":
		return surroundings{}, h.problem("Install util-linux and coreutils there", "a rollback needs these, which a login shell doesn't find:%s", fields["missing"])
	case slices.Contains(l.envFiles, fields["unreadable"]):
		return surroundings{}, h.problem("Put it back there, and let the SSH user read it", "there is no readable env file %s in %s, by which the containers were started", fields["unreadable"], h.app.Dir)
	case fields["unreadable"] != "":
		return surroundings{}, h.problem("Check DIR and COMPOSE_FILE", "there is no readable compose file %s in %s", fields["unreadable"], h.app.Dir)
	case fields["exported"] != "" && !slices.Contains(runners, path.Base(h.app.Compose[0])):
		names := strings.Join(strings.Fields(fields["exported"]), " and ")
		return surroundings{}, h.problem("Take "+names+" out of the login shell's profile there", "a login shell exports %s, which wins over the pins file: pins written there would not count", names)
	}
	around := surroundings{pinsFile: fields["env_file"], freeBytes: -1, clockOff: -1}
	if kib, err := strconv.ParseInt(fields["free_kib"], 10, 64); err == nil {
		around.freeBytes = kib * 1024
	}
	if kib, err := strconv.ParseInt(fields["disk_kib"], 10, 64); err == nil {
		around.diskBytes = kib * 1024
	}
	if clock, err := strconv.ParseInt(fields["clock"], 10, 64); err == nil {
		around.clockOff = clockOff(time.Unix(clock, 0), asked, answered)
	}
	return around, h.pinsFileProblem(fields)
}

// clockOff is by how much at least a clock that was read between two instants of ours differs from it. The clock says
// whole seconds: one that is right may be behind by almost one.
func clockOff(clock, asked, answered time.Time) time.Duration {
	switch {
	case clock.Before(asked):
		return max(0, asked.Sub(clock)-time.Second)
	case clock.After(answered):
		return clock.Sub(answered)
	}
	return 0
}

// pinsFileProblem says why the pins file can't be replaced, or no lock be taken; nil where both can. The fix is a line for root there.
func (h *appHost) pinsFileProblem(fields map[string]string) error {
	file := fields["env_file"]
	user, group, _ := strings.Cut(fields["user"], ":")
	if locks := fields["locks"]; locks != "" {
		why := fields["locks_why"]
		return h.problem(fixOfWriting(locks, why, user, fields["locks_disk"]), "the bot keeps its locks in ~/.rollbackbot there, and %s can't be written (%s)", locks, why)
	}
	switch fields["pins"] {
	case "replaceable":
		return nil
	case "no-folder":
		if to := fields["dangling"]; to != "" {
			return h.problem("Make what it leads to, or remove the link", "the pins file, %s, is a link to %s, and there is no such folder", file, to)
		}
		return h.problem("Check ENV_FILE, or make the folder there: mkdir -p "+runbook.Quote(path.Dir(file)), "the pins file would be %s, and there is no such folder", file)
	case "no-file":
		return h.problem("Check ENV_FILE", "the pins file, %s, is no file", file)
	case "unreadable":
		return h.problem("Let the SSH user own it, as root there: chown "+runbook.Quote(user)+" "+runbook.Quote(file), "the pins file, %s, can't be read by the SSH user", file)
	case "unwritable":
		folder, why := path.Dir(file), fields["why"]
		return h.problem(fixOfWriting(folder, why, user, fields["disk"]), "the pins file, %s, can't be replaced: no file can be written into its folder (%s)", file, why)
	case "mounted":
		plain := runbook.Quote(file + ".plain")
		return h.problem("Put a plain file there, as root: cp -p "+runbook.Quote(file)+" "+plain+" && umount "+runbook.Quote(file)+" && mv "+plain+" "+runbook.Quote(file), "the pins file, %s, can't be replaced: something is mounted on it", file)
	case "held":
		return h.problem("Take that off, as root there: chattr -ia "+runbook.Quote(file), "the pins file, %s, can't be replaced: chattr has made it immutable, or for appending alone", file)
	case "owner":
		owner := user
		if fields["group"] == "" {
			owner += ":" + group
		}
		return h.problem("Let the SSH user own it, as root there: chown "+runbook.Quote(owner)+" "+runbook.Quote(file), "the pins file, %s, belongs to %s: the SSH user can't replace it without changing that", file, fields["owner"])
	}
	return h.problem("Log in there as the SSH user, and see whether a file can be written beside it", "whether the pins file, %s, can be replaced could not be tried", file)
}

// fixOfWriting is the fix where a file could not be written into a folder, by the words of the C library for the reason.
func fixOfWriting(folder, why, user, disk string) string {
	folder = runbook.Quote(folder)
	switch why {
	case "Permission denied":
		return "Let the SSH user write there, as root: chown " + runbook.Quote(user) + " " + folder
	case "Operation not permitted":
		return "Take chattr's hold off it, as root there: chattr -ia " + folder
	case "Read-only file system":
		return "Mount it for writing, as root there: mount -o remount,rw " + runbook.Quote(disk)
	case "No space left on device", "Disk quota exceeded":
		return "Free some room there; how much is left, say: df -h " + folder + " and df -i " + folder
	case "No such file or directory", "Directory nonexistent":
		return "Make that folder, as root there: install -d -o " + runbook.Quote(user) + " " + folder
	}
	return "Log in there as the SSH user, and see why no file can be written into " + folder
}

func (h *appHost) checkEngine(ctx context.Context) error {
	return parallel.Do(ctx,
		func(ctx context.Context) error {
			r, err := h.ask(ctx, engineVersion(h.app))
			if err == nil && r.status != 0 {
				err = h.dockerProblem("ask the docker engine", r)
			}
			return err
		},
		func(ctx context.Context) error {
			r, err := h.ask(ctx, composeVersion(h.app))
			if err == nil && r.status != 0 {
				err = h.dockerProblem("run compose", r)
			}
			if version := strings.TrimPrefix(strings.TrimSpace(string(r.stdout)), "v"); err == nil && strings.HasPrefix(version, "1.") {
				err = h.problem("Install the docker-compose-plugin package, or set COMPOSE_COMMAND", "this is Docker Compose %s: version 2 or newer is needed", version)
			} else if err == nil {
				h.version.remember(version)
			}
			return err
		})
}

// checkStack proves that the compose file takes every planned service's image from its variable, and that nothing
// else which runs for long takes one of them.
func (h *appHost) checkStack(stack rendered, s sight) error {
	var problems []runbook.Problem
	say := func(fix, format string, args ...any) {
		problems = append(problems, runbook.Problem{Host: h.host, What: fmt.Sprintf(format, args...), Remedy: fix})
	}
	known := h.formsOf(stack)
	for _, service := range h.app.Services {
		view, ok := stack.Services[service.Name]
		switch {
		case !ok:
			say("Check IMAGES", "the compose file has no service %q", service.Name)
		case view.Image == "":
			say("Push what is built to a registry, and write `image: ${"+service.Variable+"}` beside its `build:` in the compose file",
				"%s is built on the host and has no image in the compose file, so there is nothing to go back to", service.Name)
		case !known.pinnable(service):
			say(h.lines(known, service), "%s doesn't take its image from %s, so a rollback would change nothing", service.Name, service.Variable)
		}
	}
	for _, name := range runbook.SortedKeys(stack.Services) {
		if fed, ok := h.fed(stack, name); ok && (stack.Services[name].Restarts || s.runs(name)) {
			say(fmt.Sprintf("Add %s=%s to IMAGES", name, fed.Variable), "%s%s takes %s too and would be left on the failed image", name, behind(stack.Services[name]), fed.Variable)
		}
	}
	if len(problems) > 0 {
		return &runbook.PreflightError{Problems: problems}
	}
	return nil
}

// fed finds the planned variable that an unplanned service takes its image from.
func (h *appHost) fed(stack rendered, name string) (runbook.Service, bool) {
	if h.app.HasService(name) {
		return runbook.Service{}, false
	}
	for _, service := range h.app.Services {
		if strings.Contains(stack.Services[name].Image, placeholder(service)) {
			return service, true
		}
	}
	return runbook.Service{}, false
}

// runs reports whether a service that isn't planned runs.
func (s sight) runs(name string) bool {
	return slices.ContainsFunc(s.others, func(c container) bool { return c.Service == name && c.runs() })
}

func (h *appHost) fileWarnings(stack rendered) (warnings []string) {
	for _, name := range runbook.SortedKeys(stack.Services) {
		service := stack.Services[name]
		if fed, ok := h.fed(stack, name); ok {
			warnings = append(warnings, fmt.Sprintf("%s takes %s too; it is a one-shot and is not started", name, fed.Variable))
		}
		for _, planned := range h.app.Services {
			if slices.Contains(service.Variables, planned.Variable) {
				warnings = append(warnings, fmt.Sprintf("%s has %s in its environment (env_file?): the new pin changes its configuration", name, planned.Variable))
				break
			}
		}
	}
	return warnings
}

// checkPins makes sure that compose reads the pins from the file in which they stand. Where a variable doesn't stand
// there yet, the proof is made after the pins are written and before anything is brought up.
func (h *appHost) checkPins(ctx context.Context, l launch, r runbook.HostReport) error {
	for _, pin := range r.Pins {
		if _, plain := pin.Plain(); pin.Absent || !plain {
			return nil
		}
	}
	known, err := h.forms(ctx)
	if err != nil {
		return err
	}
	stack, err := h.render(ctx, l, nil)
	if err != nil {
		return err
	}
	for i, service := range h.app.Services {
		is := known.of[service.Name]
		if got := stack.Services[service.Name].Image; got != is.before+r.Pins[i].PlainValue()+is.behind {
			return h.problem(fmt.Sprintf("Take %s out of the login shell's profile, or point ENV_FILE at the file that compose reads", service.Variable),
				"%s says %s=%s, but compose reads %s: pins written there would not count", r.PinsFile, service.Variable, r.Pins[i].PlainValue(), got)
		}
	}
	return nil
}

// hashes are compose's, of each service's configuration with those pins.
type hashes struct {
	pins []runbook.Pin
	by   map[string]string // service to hash
}

// askHashes renders the stack with exactly what runs now: where compose's hash of a service then isn't the one that its
// containers carry, `up` will change more than the image.
func (h *appHost) askHashes(ctx context.Context, l launch, pins []runbook.Pin) (hashes, error) {
	r, err := h.askExporting(ctx, configHashes(h.app, l.words, pins))
	if err != nil {
		return hashes{}, err
	}
	if r.status != 0 {
		return hashes{}, h.stackProblem(r)
	}
	return hashes{pins: pins, by: parseHashes(r.stdout)}, nil
}

// Prove renders the stack and wants to see each image where it belongs.
func (h *appHost) Prove(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error {
	var pins []runbook.Pin
	if from == runbook.FromPlan {
		var err error
		if pins, err = h.Pins(ctx, images); err != nil {
			return err
		}
	}
	l, err := h.called(ctx)
	if err != nil {
		return err
	}
	stack, err := h.render(ctx, l, pins)
	if err != nil {
		return err
	}
	wrong, err := h.unproven(ctx, stack, images)
	if err != nil || len(wrong) == 0 {
		return err
	}
	service := wrong[0]
	got, want := stack.Services[service.Name].Image, images[service.Name].String()
	if from == runbook.FromFile {
		return h.problem(fmt.Sprintf("Take %s out of the login shell's profile, or point ENV_FILE at the file that compose reads", service.Variable),
			"the pins are written to %s, but compose renders %s as %s: another file or an exported variable wins", l.pins, service.Name, got)
	}
	known, err := h.forms(ctx)
	if err != nil {
		return err
	}
	return h.problem(h.lines(known, service), "compose would run %s as %s and not as %s", service.Name, got, want)
}

// render renders the stack with these values of the planned variables; with none, as anybody's next `up` would.
func (h *appHost) render(ctx context.Context, l launch, pins []runbook.Pin) (rendered, error) {
	r, err := h.askExporting(ctx, render(h.app, l.words, pins))
	if err != nil {
		return rendered{}, err
	}
	if r.status != 0 {
		return rendered{}, h.stackProblem(r)
	}
	stack, err := parseRendered(r)
	if err != nil {
		return rendered{}, h.problem("Check COMPOSE_COMMAND; Docker Compose 2 or newer is needed", "%v", err)
	}
	return stack, nil
}

// placeholder is a reference that no compose file holds by itself: a service that renders it takes that variable.
func placeholder(s runbook.Service) string {
	return "rollbackbot.invalid/" + strings.ToLower(s.Variable) + "@sha256:" + strings.Repeat("0", 64)
}

var anyPlaceholder = regexp.MustCompile(`rollbackbot\.invalid/[a-z0-9_]+@sha256:0{64}`)

func (h *appHost) placeholders() []runbook.Pin {
	pins := make([]runbook.Pin, len(h.app.Services))
	for i, s := range h.app.Services {
		pins[i] = runbook.Pin{Variable: s.Variable, Value: placeholder(s)}
	}
	return pins
}
