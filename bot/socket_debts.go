package bot

import (
	"sync"
	"time"
)

// debts counts the acknowledgements that a line owes. Unlike a sync.WaitGroup it may grow while somebody waits for it.
type debts struct {
	mu   sync.Mutex
	n    int
	paid chan struct{} // closed when the last one is settled; nil while none is owed
}

func (d *debts) add() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		d.paid = make(chan struct{})
	}
	d.n++
}

func (d *debts) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n--; d.n == 0 {
		close(d.paid)
		d.paid = nil
	}
}

// wait waits until none is owed, but no longer than timeout.
func (d *debts) wait(timeout time.Duration) {
	d.mu.Lock()
	paid := d.paid
	d.mu.Unlock()
	if paid == nil {
		return
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-paid:
	case <-timer.C:
	}
}
