package standin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// job is one that was begun.
type job struct {
	meant           runbook.Job
	doneAt, limitAt time.Time
	status          int    // with which it ends, unless something comes between
	output          []byte // so far
	state           runbook.JobState
	gone            bool    // its files were removed
	stages          []stage // what it does at its time
	undo            func()  // leaves what it did half done
	rollback        string  // whose it is
}

// stage is one of the things that a job does.
type stage struct {
	at time.Time
	do func()
}

// advance does what the job has to do by then.
func (j *job) advance(now time.Time) {
	for len(j.stages) > 0 && !j.stages[0].at.After(now) {
		next := j.stages[0]
		j.stages = j.stages[1:]
		next.do()
	}
}

func key(l runbook.Lease, name string) string { return l.Rollback + "/" + name }

// running is the job that has the lock; nil: none.
func (h *Host) running() *job {
	for _, job := range h.jobs {
		if job.state == runbook.JobRunning {
			return job
		}
	}
	return nil
}

// settle ends the job whose time has come.
func (h *Host) settle() {
	job := h.running()
	if job == nil {
		return
	}
	if job.advance(time.Now()); h.untilEnd(job) > 0 {
		return
	}
	if h.doneFirst(job) {
		h.finish(job)
		h.leave(job, job.status, job.doneAt)
		return
	}
	job.undo()
	h.leave(job, 124, job.limitAt)
}

// doneFirst reports whether a job ends by itself, and not by its limit, as one does whose image doesn't come.
func (h *Host) doneFirst(j *job) bool {
	held := h.state.Held && !j.meant.Fetch.IsZero()
	return !held && !j.doneAt.After(j.limitAt)
}

// untilEnd is how long a job still runs.
func (h *Host) untilEnd(j *job) time.Duration {
	switch {
	case j == nil:
		return never
	case h.doneFirst(j):
		return max(0, time.Until(j.doneAt))
	}
	return max(0, time.Until(j.limitAt))
}

// finish is what a job does at its end: an image has arrived.
func (h *Host) finish(j *job) {
	if j.meant.Fetch.IsZero() {
		return
	}
	if err := h.state.fetch(j.meant.Fetch); err != nil {
		j.status = 1
		j.say("standin: %v", err)
		return
	}
	j.say("standin: fetched %s", j.meant.Fetch)
}

func (j *job) say(format string, args ...any) {
	j.output = append(j.output, fmt.Sprintf(format+"\n", args...)...)
}

// leave ends a job with a status. Its lease holds for a while from then on.
func (h *Host) leave(j *job, status int, at time.Time) {
	j.state, j.status = runbook.JobEnded, status
	if l := h.state.Lease; l != nil && l.Rollback == j.rollback {
		l.Until = at.Add(runbook.LeaseTime)
	}
}

// strike is Strike.
func (h *Host) strike(how runbook.JobState) {
	job := h.running()
	if job == nil {
		return
	}
	if job.undo(); how == runbook.JobGone {
		job.gone, job.undo = true, func() {}
		return
	}
	job.state = how
}

// Fetch gets an image outside of the lock.
func (h *Host) Fetch(ctx context.Context, image runbook.Image) error {
	arrives := func(s *State) bool { return !s.Held }
	return h.do(ctx, call{method: "Fetch", engine: true, patience: never, ready: arrives}, func(s *State) error { return s.fetch(image) })
}

func (s *State) fetch(image runbook.Image) error {
	switch {
	case s.Here[image]:
		return nil
	case s.FetchBreaks > 0:
		s.FetchBreaks--
		return fmt.Errorf("fetch %s: it broke off", image)
	case s.FetchFails || s.Silent:
		return fmt.Errorf("fetch %s: the registry doesn't answer", image)
	case !s.Registry[image]:
		return fmt.Errorf("fetch %s: %w", image, runbook.ErrDenied)
	}
	s.Here[image] = true
	return nil
}

// Start begins a job under the lock.
func (h *Host) Start(ctx context.Context, l runbook.Lease, meant runbook.Job) error {
	begun := func() bool { return h.jobs[key(l, meant.Name)] != nil }
	ready := func(s *State) bool { return begun() || h.running() == nil || h.check(s, l) != nil }
	return h.do(ctx, call{method: "Start", patience: actPatience, ready: ready}, func(s *State) error {
		switch err := h.check(s, l); {
		case err != nil:
			return err
		case begun():
			return nil
		case h.running() != nil:
			return h.locked(s)
		}
		h.begin(s, l, meant)
		return nil
	})
}

func (h *Host) begin(s *State, l runbook.Lease, meant runbook.Job) {
	h.begun = append(h.begun, Begun{l.Rollback, l.Epoch, meant})
	now := time.Now()
	job := &job{meant: meant, state: runbook.JobRunning, limitAt: now.Add(meant.Limit), undo: func() {}, rollback: l.Rollback}
	h.jobs[key(l, meant.Name)] = job
	takes := s.Takes
	if len(meant.Up) > 0 {
		takes = s.UpSlow + max(takes, time.Duration(len(meant.Up))*s.Each)
	}
	does, ordered := s.Does[meant.Name]
	switch {
	case ordered:
		job.meant.Fetch = runbook.Image{}
		takes, job.output, job.status = does.Takes, slices.Clone(does.Output), does.Status
	case len(meant.Up) > 0:
		s.up(job)
	case len(meant.Beside) > 0:
		s.restart(job)
	}
	job.doneAt = now.Add(takes)
	if s.EngineAt.After(now) { // it waits for the engine
		job.doneAt = s.EngineAt.Add(takes)
	}
	s.Lease.Boot, s.Lease.Until = s.Boot, now.Add(meant.Limit+runbook.LeaseTime)
}

// up replaces containers, all at once or one service after the other. That it has ended is known later, and until then it
// can be left half done.
func (s *State) up(j *job) {
	if len(s.UpFails) > 0 {
		j.status, s.UpFails = s.UpFails[0], s.UpFails[1:]
		return
	}
	before, images := maps.Clone(s.Containers), map[string]runbook.Image{}
	for _, service := range s.app.Services {
		images[service.Name] = s.means(service.Name, s.value(service))
	}
	for _, plan := range j.meant.Up {
		if image := images[plan.Service]; s.NoEngine || !s.Here[image] {
			j.say("standin: no engine, or the image %q of %s is not here", image, plan.Service)
			j.status = 1
			return
		}
	}
	j.status = s.UpStatus
	services := j.meant.Up
	if s.UpBreaks > 0 {
		s.UpBreaks--
		j.status, services = 1, services[:1]
	}
	replaced, done := false, 0
	begins := time.Now().Add(s.UpSlow)
	s.UpSlow = 0
	for i, plan := range services {
		j.stages = append(j.stages, stage{begins.Add(time.Duration(i) * s.Each), func() {
			replaced = s.replace(plan, images[plan.Service]) || replaced
			j.say("standin: %s replaced", plan.Service)
			if done++; done == len(services) {
				s.bring(j, replaced)
			}
		}})
	}
	// What is on its way has no container; what comes after it is as it was.
	j.undo = func() {
		way := done
		if s.Each == 0 {
			way = min(1, len(services)-1)
		}
		for i, plan := range services {
			switch {
			case i == way:
				s.Containers[plan.Service] = nil
			case i > way:
				s.Containers[plan.Service] = before[plan.Service]
			}
		}
		j.stages = nil
	}
	j.advance(time.Now())
}

// bring has the dependents follow what was replaced, those that the job names, and cuts the others off.
func (s *State) bring(j *job, replaced bool) {
	for _, d := range s.Dependents {
		switch named := slices.ContainsFunc(j.meant.Beside, func(b runbook.Dependent) bool { return b.Service == d.Service }); {
		case d.Restart:
		case named:
			s.follow(d.Service)
			j.say("standin: %s replaced", d.Service)
		case replaced:
			s.cut(d.Service)
		}
	}
}

// follow has the containers of a service share with those that are there, and cut has them share with those that are gone.
func (s *State) follow(service string) {
	s.each(service, func(c *Container) { c.Cut, c.Since = false, time.Now() })
}

func (s *State) cut(service string) { s.each(service, func(c *Container) { c.Cut = true }) }

// each changes copies of a service's containers: what they were before may be wanted again.
func (s *State) each(service string, change func(*Container)) {
	containers := slices.Clone(s.Containers[service])
	for i := range containers {
		change(&containers[i])
	}
	s.Containers[service] = containers
}

// restart starts the containers of the named services again.
func (s *State) restart(j *job) {
	if len(s.RestartFails) > 0 {
		j.status, s.RestartFails = s.RestartFails[0], s.RestartFails[1:]
		return
	}
	if s.NoEngine {
		j.say("standin: no engine")
		j.status = 1
		return
	}
	for _, d := range j.meant.Beside {
		s.each(d.Service, func(c *Container) { c.Since, c.State = time.Now(), "" })
		j.say("standin: %s restarted", d.Service)
	}
}

// replace makes new containers of a service, unless those that are there are just what is wanted, and says whether it did.
func (s *State) replace(plan runbook.ServicePlan, image runbook.Image) bool {
	number := s.scale(plan.Service)
	if plan.Scale > 0 && s.UpStatus == 0 {
		number = plan.Scale
	}
	fresh := s.replaced(plan.Service, image, number)
	asWanted := func(is, want Container) bool {
		return is.Image == want.Image && is.Tag == "" && is.State == "" && is.made(plan.Service) == want.ConfigHash
	}
	if slices.EqualFunc(s.planned(plan.Service), fresh, asWanted) {
		return false
	}
	s.Containers[plan.Service] = fresh
	return true
}

// upWord is a service as a stand-in's line names it, with the number of its containers where that is the plan's own.
func upWord(plan runbook.ServicePlan) string {
	if plan.Scale == 0 {
		return plan.Service
	}
	return strings.Join([]string{plan.Service, strconv.Itoa(plan.Scale)}, "=")
}

// chunk is how much of a job's output is told at once.
const chunk = 64 << 10

// Follow says how a job stands, within 5 s.
func (h *Host) Follow(ctx context.Context, l runbook.Lease, name string, offset int64, end bool) (progress runbook.Progress, err error) {
	if end {
		if err := h.do(ctx, call{method: "Follow"}, func(s *State) error { return h.askToEnd(s, l, name) }); err != nil {
			return runbook.Progress{}, err
		}
	}
	news := func(*State) bool {
		job := h.jobs[key(l, name)]
		return job == nil || job.gone || job.state != runbook.JobRunning || int64(len(job.output)) > offset
	}
	err = h.do(ctx, call{method: "Follow", patience: 5 * time.Second, ready: news}, func(*State) error {
		progress = h.jobs[key(l, name)].progress(offset)
		return nil
	})
	if err != nil {
		return runbook.Progress{}, err
	}
	return progress, nil
}

func (h *Host) askToEnd(s *State, l runbook.Lease, name string) error {
	if err := h.check(s, l); err != nil {
		return err
	}
	if job := h.jobs[key(l, name)]; job != nil && !job.gone && job.state == runbook.JobRunning && !s.Sudo {
		job.undo()
		h.leave(job, 143, time.Now())
	}
	return nil
}

// progress is what is told from offset on. A job is said to have ended only once all that it printed is told.
func (j *job) progress(offset int64) runbook.Progress {
	if j == nil || j.gone {
		return runbook.Progress{State: runbook.JobGone}
	}
	rest := j.output[min(offset, int64(len(j.output))):]
	told := runbook.Progress{State: j.state, Output: slices.Clone(rest[:min(len(rest), chunk)])}
	switch {
	case len(rest) > chunk:
		told.State = runbook.JobRunning
	case j.state == runbook.JobEnded:
		told.Status = j.status
	}
	return told
}
