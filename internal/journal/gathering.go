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

// gathering lets deliveries that come at the same time share a transaction: while one commits, those that come meanwhile
// wait, and then they go together. One that comes alone waits for nobody. Transactions of the inbox take turns behind
// its lock anyway, and two thousand commits one after the other would last longer than Slack's 3 s.
type gathering struct {
	store func(ctx context.Context, batch []*parcel) error

	mu       sync.Mutex
	waiting  []*parcel
	carrying bool // a goroutine is at work, and looks again before it ends
}

const (
	// maxBatch and maxBatchBody bound what shares a transaction, in deliveries and in bytes: those at its front wait for
	// those at its end.
	maxBatch     = 500
	maxBatchBody = 4 * maxBody
)

// put has a delivery stored, and waits for that. A caller whose ctx ends while its delivery still waits takes it back;
// once its delivery is being written it is runbook.ErrUncertain what becomes of it, unless that shows within settleGrace.
func (g *gathering) put(ctx context.Context, d runbook.Delivery) (fresh bool, err error) {
	p := &parcel{ctx: ctx, delivery: d, over: make(chan struct{})}
	g.join(p)
	select {
	case <-p.over:
		return p.fresh, p.err
	case <-ctx.Done():
	}
	if p.leave(waits) {
		return false, fmt.Errorf("its turn did not come in time: %w", ctx.Err())
	}
	select {
	case <-p.over:
		return p.fresh, p.err
	case <-time.After(settleGrace):
		p.leave(goes)
		return false, &uncertainError{err: ctx.Err()}
	}
}

// join queues a parcel up, and sees to it that somebody comes for it.
func (g *gathering) join(p *parcel) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, p)
	if !g.carrying {
		g.carrying = true
		go g.carry()
	}
}

// carry stores what waits, one batch after the other, until nothing does.
func (g *gathering) carry() {
	for batch := g.next(); len(batch) > 0; batch = g.next() {
		g.deliver(batch)
	}
}

// next takes what goes together from the front of the queue.
func (g *gathering) next() []*parcel {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for n < len(g.waiting) && n < maxBatch && size < maxBatchBody {
		size += len(g.waiting[n].delivery.Body)
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
func (g *gathering) deliver(batch []*parcel) {
	ctx, cancel := patienceOf(batch)
	defer cancel()
	err := g.store(ctx, batch)
	alone := err == nil || len(batch) == 1 || errors.Is(err, runbook.ErrUncertain)
	for _, p := range batch {
		switch {
		case alone:
			p.finish(err)
		case p.again():
			g.deliver([]*parcel{p})
		}
	}
}

// patienceOf is the context of a batch: it lasts as long as the one of its most patient caller.
func patienceOf(batch []*parcel) (context.Context, context.CancelFunc) {
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

// parcel is a delivery on its way, and what came of it.
type parcel struct {
	ctx      context.Context // the caller's
	delivery runbook.Delivery
	state    atomic.Int32 // a whereabouts

	place int64 // in the inbox, where it got one
	fresh bool  // the inbox did not have the delivery
	err   error
	over  chan struct{} // closed when the above is settled
}

// Where a parcel is. The caller and the carrier each move it on, and only one of them can.
const (
	waits = int32(iota) // nothing of it is written
	goes                // it is in a transaction
	left                // the caller has gone: it must not be written any more
)

// leave is the caller's: it reports whether the parcel was where the caller thought it was, and takes it away.
func (p *parcel) leave(from int32) bool { return p.state.CompareAndSwap(from, left) }

// take reports whether the parcel may be written. It is asked behind the lock of the inbox, so that whoever left
// without a word about it finds it by waiting for that lock.
func (p *parcel) take() bool { return p.state.CompareAndSwap(waits, goes) }

// again puts a parcel back whose transaction failed, and reports whether its caller still waits for it.
func (p *parcel) again() bool {
	p.state.CompareAndSwap(goes, waits)
	return p.state.Load() == waits
}

func (p *parcel) finish(err error) {
	p.err = err
	close(p.over)
}
