package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// execution is what the steps of one rollback act through: the hosts, the journal, and the rollback as it stands.
type execution struct {
	app     runbook.App
	hosts   runbook.Hosts
	planner preflight.Planner
	health  runbook.HealthChecker
	rate    runbook.ErrorRateChecker // nil: a person is asked

	// rollback gives the rollback as its journal stands now.
	rollback func() runbook.Rollback
	// note writes facts to the journal. Whoever gets an error from it stops acting.
	note func(ctx context.Context, facts ...runbook.Fact) error
	// progress shows what happens right now; it isn't journalled.
	progress func(host runbook.Host, line string)
	// acquire makes this process the owner under an epoch above floor.
	acquire func(ctx context.Context, floor int64) (int64, error)

	views   views                              // what was last seen of each host
	epoch   atomic.Int64                       // of the leases that this process holds; 0: none
	seen    map[runbook.Host]runbook.HostState // the hosts as the step under way found them: what restarted since was not healthy all along
	replace *runbook.Plan                      // the plan that identify found in place of the signed one
}

// errJournal marks errors of note: nothing more may be done.
var errJournal = errors.New("the journal could not be written")

func (x *execution) plan() runbook.Plan { return x.rollback().Going() }

func (x *execution) aborting() bool { return x.rollback().AbortedBy != "" }

func (x *execution) host(name runbook.Host) runbook.AppHost { return x.hosts.On(x.app, name) }

func (x *execution) lease() runbook.Lease {
	rb := x.rollback()
	return runbook.Lease{Rollback: rb.ID, Epoch: x.epoch.Load(), Holder: rb.Request.By, Since: rb.Request.At, Reason: rb.Request.Reason}
}

// hostOutcome is what one host's part of a step came to; an empty problem is success.
type hostOutcome struct {
	verdict runbook.Verdict
	problem string
	output  string
	final   bool // looking again can't mend it
	lock    bool // it is about the lease itself
}

var fine = hostOutcome{verdict: runbook.Passed}

func broken(format string, args ...any) hostOutcome {
	return hostOutcome{verdict: runbook.Broken, problem: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) hostOutcome {
	return hostOutcome{verdict: runbook.Unknown, problem: fmt.Sprintf(format, args...)}
}

// onEveryHost runs one phase on all hosts at once and is a barrier: it gives one outcome for all of them, and names
// every host on which it didn't go well.
func (x *execution) onEveryHost(ctx context.Context, phase func(context.Context, runbook.HostPlan) (hostOutcome, error)) (runbook.StepOutcome, error) {
	hosts := x.plan().Hosts
	outcomes := make([]hostOutcome, len(hosts))
	var functions []func(context.Context) error
	for i, host := range hosts {
		functions = append(functions, func(ctx context.Context) (err error) {
			outcomes[i], err = phase(ctx, host)
			return err
		})
	}
	if err := parallel.Do(ctx, functions...); err != nil {
		return runbook.StepOutcome{}, err
	}
	return combine(hosts, outcomes), nil
}

func combine(hosts []runbook.HostPlan, outcomes []hostOutcome) runbook.StepOutcome {
	out := runbook.StepOutcome{Verdict: runbook.Passed}
	var problems, outputs []string
	for i, o := range outcomes {
		if o.verdict == runbook.Passed {
			continue
		}
		// Unknown weighs more than failed: as long as one host was not seen, nobody may say how things stand.
		if out.Verdict == runbook.Passed || o.verdict == runbook.Unknown {
			out.Verdict = o.verdict
		}
		out.LockGone = out.LockGone || o.lock
		problems = append(problems, fmt.Sprintf("%s: %s", hosts[i].Host, o.problem))
		if o.output != "" {
			outputs = append(outputs, o.output)
		}
	}
	out.Detail, out.Output = strings.Join(problems, "; "), strings.Join(outputs, "\n")
	return out
}

// failure turns an error of a host into its outcome; an error that stops everything is given back.
func (x *execution) failure(ctx context.Context, err error) (hostOutcome, error) {
	var lease *runbook.LeaseError
	var locked *runbook.LockedError
	var unusable *runbook.HostError
	var preflight *runbook.PreflightError
	switch {
	case ctx.Err() != nil:
		return hostOutcome{}, ctx.Err()
	case errors.Is(err, errJournal):
		return hostOutcome{}, err
	case errors.As(err, &unusable) && unusable.Unreachable:
		return unknown("it can't be reached (%s), so what runs there is not known", unusable.Problem), nil
	case errors.As(err, &unusable) && unusable.HungUp:
		return unknown("it can't be used (%s), so what runs there is not known. %s", unusable.Problem, unusable.Remedy), nil
	case errors.As(err, &unusable):
		return broken("%s. %s", unusable.Problem, unusable.Remedy), nil
	case errors.As(err, &lease):
		outcome := broken("%s", lease.Why)
		outcome.lock = lease.Kind == runbook.LeaseGone || lease.Kind == runbook.LeaseDamaged
		return outcome, nil
	case errors.As(err, &locked):
		return broken("%s", strings.TrimPrefix(locked.Error(), string(locked.Host)+": ")), nil
	case errors.Is(err, runbook.ErrNoEngine) && errors.As(err, &preflight):
		return unknown("%s, so what runs there is not known. %s", preflight.Problems[0].What, preflight.Problems[0].Remedy), nil
	case errors.As(err, &preflight):
		var lines []string
		for _, p := range preflight.Problems {
			lines = append(lines, p.What+". "+p.Remedy)
		}
		return broken("%s", strings.Join(lines, "; ")), nil
	case errors.Is(err, errNoStatus):
		return unknown("%s", err), nil
	case errors.Is(err, runbook.ErrLost):
		return unknown("the connection was lost, so what runs there is not known"), nil
	}
	return broken("%s", runbook.Mask(err.Error())), nil
}

// unseen is failure for what comes after a command was begun: a host that must be mended first hides how that ended, and
// nobody may say that it failed.
func (x *execution) unseen(ctx context.Context, err error) (hostOutcome, error) {
	outcome, stop := x.failure(ctx, err)
	var unusable *runbook.HostError
	if errors.As(err, &unusable) {
		outcome.verdict = runbook.Unknown
	}
	return outcome, stop
}

// look reads what a host runs now and journals it.
func (x *execution) look(ctx context.Context, h runbook.HostPlan) (runbook.View, error) {
	view, err := x.host(h.Host).Look(ctx, h.Project)
	if err == nil {
		x.views.saw(view)
	}
	fact := runbook.Looked{Host: h.Host, Running: view.Running()}
	if err != nil {
		if ctx.Err() != nil {
			return runbook.View{}, err
		}
		outcome, _ := x.failure(ctx, err)
		fact = runbook.Looked{Host: h.Host, Problem: outcome.problem}
	}
	if noteErr := x.noteSeen(ctx, fact); noteErr != nil {
		return runbook.View{}, noteErr
	}
	return view, err
}

// noteSeen journals a look only where it shows something new.
func (x *execution) noteSeen(ctx context.Context, fact runbook.Looked) error {
	before := x.rollback().Hosts[fact.Host]
	if !before.SeenAt.IsZero() && before.Problem == fact.Problem && slices.Equal(before.Running, fact.Running) {
		return nil
	}
	return x.note(ctx, fact)
}

// changeResult is how a changing command ended.
type changeResult struct {
	known  bool
	status int
	output []byte
	err    error // why it is not known, or was not begun
}

// How long a changing command may take on its host. Images of a gigabyte over a slow line take minutes; a deployment gives
// each container the time that the app's files allow for it to stop, and waits for nothing else.
const (
	pullLimit = 15 * time.Minute
	upLimit   = 10 * time.Minute
)

// change runs one changing command on a host, under the lock there: the intent is journalled before, how it ended
// after. It goes on when the link is cut: this reattaches, and only gives up when the command's own limit is over. The
// job's name gets the epoch: another process has another one, and so begins a job of its own.
func (x *execution) change(ctx context.Context, host runbook.Host, step runbook.StepName, job runbook.Job) (changeResult, error) {
	job.Name = fmt.Sprintf("%s-e%d", job.Name, x.epoch.Load())
	if err := x.note(ctx, runbook.CommandStarted{Host: host, Step: step, Job: job.Name, Command: job.Command.String()}); err != nil {
		return changeResult{}, err
	}
	result := x.runJob(ctx, host, job, step == runbook.StepFetch)
	if ctx.Err() != nil {
		// The process is stopping; the command goes on, and the next start reads how it ended.
		return changeResult{}, ctx.Err()
	}
	fact := runbook.CommandFinished{Host: host, Job: job.Name, Known: result.known, Status: result.status, Output: runbook.LastLines(result.output, 20)}
	return result, x.note(ctx, fact)
}

// runJob begins a job and follows it. Where stoppable is true, nothing that runs depends on it: an abort doesn't wait for
// its end.
func (x *execution) runJob(ctx context.Context, host runbook.Host, job runbook.Job, stoppable bool) changeResult {
	ctx, cancel := context.WithTimeout(ctx, job.Limit+runbook.LeaseTime)
	defer cancel()
	// Starting the same job twice starts it once, so an answer that got lost is asked for again.
	err := x.persist(ctx, host, func() error { return x.host(host).Start(ctx, x.lease(), job) })
	if err != nil {
		return changeResult{err: err}
	}
	return x.followJob(ctx, host, job.Name, stoppable)
}

func (x *execution) followJob(ctx context.Context, host runbook.Host, job string, stoppable bool) changeResult {
	var out changeResult
	var offset int64
	for {
		end := stoppable && x.aborting()
		var seen runbook.Progress
		out.err = x.persist(ctx, host, func() (err error) {
			seen, err = x.host(host).Follow(ctx, x.lease(), job, offset, end)
			return err
		})
		if out.err != nil {
			return out
		}
		stoppable = stoppable && !end
		offset += int64(len(seen.Output))
		out.output = tail(append(out.output, seen.Output...))
		if line := runbook.LastLines(out.output, 1); line != "" {
			x.progress(host, line)
		}
		switch seen.State {
		case runbook.JobRunning:
			continue
		case runbook.JobEnded:
			out.known, out.status = true, seen.Status
		case runbook.JobRestarted:
			out.err = errRestarted
		case runbook.JobGone:
			out.err = errGone
		default:
			out.err = errKilled
		}
		return out
	}
}

// errNoStatus says that a command which was begun has left nothing behind that tells how it ended; the others say why.
var (
	errNoStatus  = errors.New("a command that was begun left no status")
	errRestarted = fmt.Errorf("%w: the host was restarted in the middle of it", errNoStatus)
	errKilled    = fmt.Errorf("%w: somebody killed it", errNoStatus)
	errGone      = fmt.Errorf("%w: what ~/.rollbackbot holds of it is gone: somebody removed it. Whether it still runs is not known: look there before you Retry", errNoStatus)
)

// keptOutput is how much of a command's output is kept: its end.
const keptOutput = 65536

func tail(output []byte) []byte { return output[max(0, len(output)-keptOutput):] }

// reconnectInterval parts the attempts to reach a host again. A host that reboots takes a minute.
const reconnectInterval = 2 * time.Second

// persist does what may be done again, until it is answered or ctx ends.
func (x *execution) persist(ctx context.Context, host runbook.Host, do func() error) error {
	for {
		err := do()
		if err == nil || !isLost(err) {
			return err
		}
		x.progress(host, "the connection is lost; trying again")
		select {
		case <-ctx.Done():
			return err
		case <-time.After(reconnectInterval):
		}
	}
}

// fresh is how long a look counts as one made right now: a deployment itself takes about as long from its own look to the
// first container that it replaces.
const fresh = 500 * time.Millisecond

// lookJustNow is lookAgain, unless this process has looked at the host just now.
func (x *execution) lookJustNow(ctx context.Context, h runbook.HostPlan) (runbook.View, error) {
	if known, seen := x.views.of(h.Host); seen && time.Since(known.At) < fresh {
		return known, nil
	}
	return x.lookAgain(ctx, h)
}

// returnLimit is how long a host is waited for that was there a moment ago: one that restarts is away for a minute or two,
// and its engine comes after its sshd.
const returnLimit = 3 * time.Minute

// lookAgain is look for such a host: where it can't be looked at, that is tried again.
func (x *execution) lookAgain(ctx context.Context, h runbook.HostPlan) (runbook.View, error) {
	deadline := time.Now().Add(returnLimit)
	for {
		view, err := x.look(ctx, h)
		if err == nil || errors.Is(err, errJournal) || needsPerson(err) || x.aborting() || time.Now().After(deadline) {
			return view, err
		}
		if parallel.Pause(ctx, reconnectInterval) != nil {
			return runbook.View{}, err
		}
	}
}

// needsPerson reports whether a host answers, and won't be there until somebody has mended something.
func needsPerson(err error) bool {
	var unusable *runbook.HostError
	return errors.As(err, &unusable) && !unusable.MayPass()
}

// views are what a process has seen of each host last. The zero value has seen nothing.
type views struct {
	mu   sync.Mutex
	last map[runbook.Host]runbook.View
}

func (v *views) saw(view runbook.View) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil {
		v.last = map[runbook.Host]runbook.View{}
	}
	v.last[view.Host] = view
}

func (v *views) of(host runbook.Host) (runbook.View, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	view, seen := v.last[host]
	return view, seen
}
