package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rollbackbot/runbook"
)

// gathering lets what comes at the same time share a transaction: while one commits, what comes meanwhile waits, and then
// it goes together. What comes alone waits for nobody. Transactions take turns anyway, and two thousand commits one after
// the other would last longer than Slack's 3 s.
type gathering[T weighed] struct {
	store func(ctx context.Context, batch []*parcel[T]) error

	mu       sync.Mutex
	waiting  []*parcel[T]
	carrying bool // a goroutine is at work, and looks again before it ends
}

// weighed is what can be gathered. weight is in bytes, and need not be exact.
type weighed interface{ weight() int }

const (
	// maxBatch and maxWeight bound what shares a transaction, in number and in bytes: those at its front wait for those at
	// its end.
	maxBatch  = 500
	maxWeight = 4 * maxBody
)

// send has something stored, and waits for that. A caller whose ctx ends while it still waits takes it back; once it is
// being written it is runbook.ErrUncertain what becomes of it, unless that shows within settleGrace.
func (g *gathering[T]) send(ctx context.Context, what T) error {
	p := &parcel[T]{ctx: ctx, what: what, over: make(chan struct{})}
	g.join(p)
	select {
	case <-p.over:
		return p.err
	case <-ctx.Done():
	}
	if p.leave(waits) {
		return fmt.Errorf("its turn did not come in time: %w", ctx.Err())
	}
	select {
	case <-p.over:
		return p.err
	case <-time.After(settleGrace):
		p.leave(goes)
		return &uncertainError{err: ctx.Err()}
	}
}

// join queues a parcel up, and sees to it that somebody comes for it.
func (g *gathering[T]) join(p *parcel[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, p)
	if !g.carrying {
		g.carrying = true
		go g.carry()
	}
}

// carry stores what waits, one batch after the other, until nothing does.
func (g *gathering[T]) carry() {
	for batch := g.next(); len(batch) > 0; batch = g.next() {
		g.deliver(batch)
	}
}

// next takes what goes together from the front of the queue.
func (g *gathering[T]) next() []*parcel[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for n < len(g.waiting) && n < maxBatch && size < maxWeight {
		size += g.waiting[n].what.weight()
		n++
	}
	batch := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil // the memory of a rush goes with it
	}
	g.carrying = n > 0
	return batch
}

// deliver stores a batch and tells everybody in it. Where it fails, each goes alone: what is wrong with one is no fault
// of the others.
func (g *gathering[T]) deliver(batch []*parcel[T]) {
	ctx, cancel := patienceOf(batch)
	defer cancel()
	err := g.store(ctx, batch)
	alone := err == nil || len(batch) == 1 || errors.Is(err, runbook.ErrUncertain)
	for _, p := range batch {
		switch {
		case alone:
			p.finish(err)
		case p.again():
			g.deliver([]*parcel[T]{p})
		}
	}
}

// patienceOf is the context of a batch: it lasts as long as the one of its most patient caller.
func patienceOf[T weighed](batch []*parcel[T]) (context.Context, context.CancelFunc) {
	var latest time.Time
	for _, p := range batch {
		deadline, ok := p.ctx.Deadline()
		if !ok {
			return context.WithCancel(context.WithoutCancel(p.ctx))
		}
		if deadline.After(latest) {
			latest = deadline
		}
	}
	return context.WithDeadline(context.Background(), latest)
}

// parcel is something on its way.
type parcel[T weighed] struct {
	ctx   context.Context // the caller's
	what  T               // the carrier's, until over
	state atomic.Int32    // where it is
	err   error
	over  chan struct{} // closed when it is settled
}

// Where a parcel is. The caller and the carrier each move it on, and only one of them can.
const (
	waits = int32(iota) // nothing of it is written
	goes                // it is in a transaction
	left                // the caller has gone: it must not be written any more
)

// leave is the caller's: it reports whether the parcel was where the caller thought it was, and takes it away.
func (p *parcel[T]) leave(from int32) bool { return p.state.CompareAndSwap(from, left) }

// take reports whether the parcel may be written. A delivery is asked for it behind the lock of the inbox, so that whoever
// left without knowing finds out by waiting for that lock.
func (p *parcel[T]) take() bool { return p.state.CompareAndSwap(waits, goes) }

// again puts a parcel back whose transaction failed, and reports whether its caller still waits for it.
func (p *parcel[T]) again() bool {
	p.state.CompareAndSwap(goes, waits)
	return p.state.Load() == waits
}

// taken are those of a batch that may be written.
func taken[T weighed](batch []*parcel[T]) []T {
	all := make([]T, 0, len(batch))
	for _, p := range batch {
		if p.take() {
			all = append(all, p.what)
		}
	}
	return all
}

func (p *parcel[T]) finish(err error) {
	p.err = err
	close(p.over)
}
