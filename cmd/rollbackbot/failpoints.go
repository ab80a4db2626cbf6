//go:build failpoints

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"rollbackbot/bot"
	"rollbackbot/runbook"
	"rollbackbot/runbook/runner"
)

// The tests of a killed bot build it with the tag failpoints. Before and after each write to the journal or the inbox,
// each changing command and each message, the process then passes a point, and dies there as by kill -9 if it was told
// to. No file of the product's own build says a word of this but for the empty function of failpoints_none.go.
const (
	// pointsVariable names the file in which the process notes each point that it passes, on a line of its own. It counts
	// on from what former processes have noted there.
	pointsVariable = "FAILPOINTS_FILE"
	// deadlyVariable lists the points at which the process dies, as they are noted, with semicolons between them.
	deadlyVariable = "FAILPOINTS_DEADLY"
)

// failpoints puts points around all that a runner does to the world.
func failpoints(r *runner.Runner) {
	if p := processPoints(); p != nil {
		r.Journal, r.Hosts, r.Announcer = pointedJournal{r.Journal, p}, pointedHosts{r.Hosts, p}, pointedAnnouncer{r.Announcer, p}
	}
}

// failpointsAtInbox puts points around what is stored of what people say.
func failpointsAtInbox(b *bot.Bot) {
	if p := processPoints(); p != nil {
		b.Inbox = pointedInbox{b.Inbox, p}
	}
}

// processPoints are the points of this process; nil where none are asked for.
var processPoints = sync.OnceValue(func() *points {
	if os.Getenv(pointsVariable) == "" {
		return nil
	}
	p, err := newPoints(os.Getenv(pointsVariable), strings.Split(os.Getenv(deadlyVariable), ";"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	return p
})

// points counts the points of a rollback over all its processes.
type points struct {
	mu     sync.Mutex
	file   *os.File
	passed map[string]int
	deadly []string
}

func newPoints(path string, deadly []string) (*points, error) {
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &points{passed: map[string]int{}, deadly: deadly}
	for line := range strings.Lines(string(before)) {
		name, _, _ := strings.Cut(line, " #")
		p.passed[name]++
	}
	p.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return p, err
}

// around is something that the bot does, with a point on either side.
func around[T any](p *points, name string, do func() (T, error)) (T, error) {
	p.pass("before " + name)
	result, err := do()
	p.pass("after " + name)
	return result, err
}

func (p *points) pass(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed[name]++
	name = fmt.Sprintf("%s #%d", name, p.passed[name])
	if _, err := p.file.WriteString(name + "\n"); err != nil {
		panic(err)
	}
	if slices.Contains(p.deadly, name) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the others go on until the signal is there; nobody passes a point any more
	}
}

type pointedJournal struct {
	runbook.Journal
	points *points
}

func (j pointedJournal) Append(ctx context.Context, e runbook.Entry) ([]runbook.Event, error) {
	if e.Rollback == "" { // what the observer sees is no part of a rollback
		return j.Journal.Append(ctx, e)
	}
	return around(j.points, "append "+entryName(e), func() ([]runbook.Event, error) { return j.Journal.Append(ctx, e) })
}

func (j pointedJournal) Acquire(ctx context.Context, app string, floor int64) (int64, error) {
	return around(j.points, "acquire", func() (int64, error) { return j.Journal.Acquire(ctx, app, floor) })
}

// entryName is the entry's kinds, with what tells facts of one kind apart and is the same in every rollback.
func entryName(e runbook.Entry) string {
	var names []string
	for _, fact := range e.Facts {
		name := fact.Kind()
		switch fact := fact.(type) {
		case runbook.StepStarted:
			name += " " + string(fact.Step)
		case runbook.StepFinished:
			name += " " + string(fact.Step)
		case runbook.NoticeIntended:
			name += " " + noticeName(fact.Key)
		case runbook.NoticePosted:
			name += " " + noticeName(fact.Key)
		}
		names = append(names, name)
	}
	return strings.Join(names, " + ")
}

// noticeName is a notice's key without the hash of its plan.
func noticeName(key string) string {
	if strings.HasPrefix(key, string(runbook.NoticePlan)) {
		return string(runbook.NoticePlan)
	}
	return key
}

type pointedHosts struct {
	runbook.Hosts
	points *points
}

func (h pointedHosts) On(app runbook.App, host runbook.Host) runbook.AppHost {
	return pointedHost{h.Hosts.On(app, host), host, h.points}
}

// pointedHost has points where something is changed under the lock: looking leaves nothing behind.
type pointedHost struct {
	runbook.AppHost
	host   runbook.Host
	points *points
}

func (h pointedHost) around(what string, do func() error) error {
	_, err := around(h.points, fmt.Sprintf("%s on %s", what, h.host), func() (bool, error) { return true, do() })
	return err
}

func (h pointedHost) Take(ctx context.Context, lease runbook.Lease, first bool, wait time.Duration) error {
	return h.around("take", func() error { return h.AppHost.Take(ctx, lease, first, wait) })
}

func (h pointedHost) EditPins(ctx context.Context, lease runbook.Lease, file string, edit func([]runbook.Pin) ([]runbook.Pin, error)) error {
	return h.around("pin", func() error { return h.AppHost.EditPins(ctx, lease, file, edit) })
}

func (h pointedHost) Start(ctx context.Context, lease runbook.Lease, job runbook.Job) error {
	return h.around("act", func() error { return h.AppHost.Start(ctx, lease, job) })
}

func (h pointedHost) Release(ctx context.Context, lease runbook.Lease, force bool) (released runbook.Released, err error) {
	err = h.around("release", func() error {
		released, err = h.AppHost.Release(ctx, lease, force)
		return err
	})
	return released, err
}

type pointedAnnouncer struct {
	runbook.Announcer
	points *points
}

func (a pointedAnnouncer) Post(ctx context.Context, n runbook.Notice) (runbook.Post, error) {
	return around(a.points, "post "+noticeName(n.Key), func() (runbook.Post, error) { return a.Announcer.Post(ctx, n) })
}

func (a pointedAnnouncer) Find(ctx context.Context, n runbook.Notice, since time.Time) (at runbook.Post, found bool, err error) {
	_, err = around(a.points, "find "+noticeName(n.Key), func() (bool, error) {
		at, found, err = a.Announcer.Find(ctx, n, since)
		return found, err
	})
	return at, found, err
}

func (a pointedAnnouncer) Update(ctx context.Context, at runbook.Post, n runbook.Notice) error {
	_, err := around(a.points, "update "+noticeName(n.Key), func() (bool, error) { return true, a.Announcer.Update(ctx, at, n) })
	return err
}

type pointedInbox struct {
	runbook.Inbox
	points *points
}

func (i pointedInbox) Put(ctx context.Context, d runbook.Delivery) (bool, error) {
	return around(i.points, "put "+d.Kind, func() (bool, error) { return i.Inbox.Put(ctx, d) })
}

func (i pointedInbox) Done(ctx context.Context, key string) error {
	_, err := around(i.points, "done", func() (bool, error) { return true, i.Inbox.Done(ctx, key) })
	return err
}
