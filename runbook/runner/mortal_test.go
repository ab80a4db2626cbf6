package runner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
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
	runbooktest.Store
	process *process
}

func (m mortalStore) Append(ctx context.Context, e runbook.Entry) ([]runbook.Event, error) {
	return around(m.process, func() ([]runbook.Event, error) { return m.Store.Append(ctx, e) })
}

func (m mortalStore) Acquire(ctx context.Context, app string, floor int64) (int64, error) {
	return around(m.process, func() (int64, error) { return m.Store.Acquire(ctx, app, floor) })
}

func (m mortalStore) Put(ctx context.Context, d runbook.Delivery) (bool, error) {
	return around(m.process, func() (bool, error) { return m.Store.Put(ctx, d) })
}

func (m mortalStore) Done(ctx context.Context, key string) error {
	_, err := around(m.process, func() (bool, error) { return true, m.Store.Done(ctx, key) })
	return err
}

// mortalHosts are hosts as one process sees them. It dies before or after calls that change something: looking has no
// effect to lose. Once it is dead, nothing more is asked of a host, and nobody hears an answer.
func mortalHosts(hosts runbook.Hosts, p *process) runbook.Hosts {
	changes := []string{"Take", "Start", "EditPins", "Release"}
	return hooked{hosts, func(_ runbook.Host, method string, do func() error) error {
		if p.isDead() {
			return errDead
		}
		var err error
		if slices.Contains(changes, method) {
			_, err = around(p, func() (bool, error) { return true, do() })
		} else {
			err = do()
		}
		if p.isDead() {
			return errDead
		}
		return err
	}}
}

// mortalSlack is Slack as one process sees it.
type mortalSlack struct {
	*fakeSlack
	process *process
}

func (m mortalSlack) Post(ctx context.Context, n runbook.Notice) (runbook.Post, error) {
	return around(m.process, func() (runbook.Post, error) { return m.fakeSlack.Post(ctx, n) })
}

func (m mortalSlack) Find(ctx context.Context, n runbook.Notice, since time.Time) (at runbook.Post, found bool, err error) {
	_, err = around(m.process, func() (bool, error) {
		at, found, err = m.fakeSlack.Find(ctx, n, since)
		return found, err
	})
	return at, found, err
}

func (m mortalSlack) Update(ctx context.Context, at runbook.Post, n runbook.Notice) error {
	_, err := around(m.process, func() (bool, error) { return true, m.fakeSlack.Update(ctx, at, n) })
	return err
}
