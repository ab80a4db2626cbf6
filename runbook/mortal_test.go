package runbook

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// process is one life of the bot. It dies at one of its points: before or after an append or an outside effect.
type process struct {
	mu     sync.Mutex
	points int // counted so far
	dieAt  int // 0: never
	dead   bool
	kill   context.CancelFunc
}

var errDead = errors.New("this process was killed")

// point counts one point at which a process can die, and says whether it is dead.
func (p *process) point() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.points++; p.points == p.dieAt {
		p.dead = true
		p.kill()
	}
	return p.dead
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// passed is how many points there were so far.
func (p *process) passed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.points
}

// around is something that a process does to the world, with a point on either side.
func around[T any](p *process, do func() (T, error)) (T, error) {
	var nothing T
	if p.point() {
		return nothing, errDead
	}
	result, err := do()
	if p.point() {
		return nothing, errDead
	}
	return result, err
}

// mortalStore is a store as one process sees it.
type mortalStore struct {
	Store
	process *process
}

func (m mortalStore) Append(ctx context.Context, e Entry) ([]Event, error) {
	return around(m.process, func() ([]Event, error) { return m.Store.Append(ctx, e) })
}

func (m mortalStore) Acquire(ctx context.Context, app string, floor int64) (int64, error) {
	return around(m.process, func() (int64, error) { return m.Store.Acquire(ctx, app, floor) })
}

func (m mortalStore) Put(ctx context.Context, d Delivery) (bool, error) {
	return around(m.process, func() (bool, error) { return m.Store.Put(ctx, d) })
}

func (m mortalStore) Done(ctx context.Context, key string) error {
	_, err := around(m.process, func() (bool, error) { return true, m.Store.Done(ctx, key) })
	return err
}

// fakeHosts are the hosts as one process sees them.
type fakeHosts struct {
	hosts   map[Host]*fakeHost
	process *process
}

func (f fakeHosts) Target(host Host) Target { return mortalTarget{f.hosts[host], f.process} }

type mortalTarget struct {
	host    *fakeHost
	process *process
}

// Run dies before or after commands that change something; looking has no effect to lose.
func (m mortalTarget) Run(ctx context.Context, cmd Command) (Result, error) {
	run := func() (Result, error) { return m.host.Run(ctx, cmd) }
	switch {
	case m.process.isDead():
		return Result{}, errDead
	case len(cmd.Args) > 4 && cmd.Args[2] == guardScript && slices.Contains([]string{"take", "act", "pin", "release"}, cmd.Args[4]):
		return around(m.process, run)
	}
	return run()
}

// mortalSlack is Slack as one process sees it.
type mortalSlack struct {
	*fakeSlack
	process *process
}

func (m mortalSlack) Post(ctx context.Context, n Notice) (Post, error) {
	return around(m.process, func() (Post, error) { return m.fakeSlack.Post(ctx, n) })
}

func (m mortalSlack) Find(ctx context.Context, n Notice, since time.Time) (at Post, found bool, err error) {
	_, err = around(m.process, func() (bool, error) {
		at, found, err = m.fakeSlack.Find(ctx, n, since)
		return found, err
	})
	return at, found, err
}

func (m mortalSlack) Update(ctx context.Context, at Post, n Notice) error {
	_, err := around(m.process, func() (bool, error) { return true, m.fakeSlack.Update(ctx, at, n) })
	return err
}
