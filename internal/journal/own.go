package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// OwnedError says that another process acts for this journal.
type OwnedError struct {
	Path string // the journal: the file's path, or the database and its server
	PID  int    // the process; 0 when it could not be read
	Host string // the process's machine by its name; "" for this one, or when it could not be read
}

func (e *OwnedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	if e.Host != "" {
		who += " on " + e.Host
	}
	return fmt.Sprintf("%s acts for the journal %s already: one process does at a time", who, e.Path)
}

// ErrOwnershipLost says that another process may act for the journal by now.
var ErrOwnershipLost = errors.New("this process no longer acts for the journal")

// ownPause parts two attempts to own a journal: a process that was killed is succeeded within it, and a moment.
const ownPause = 500 * time.Millisecond

// Own makes this process the one that acts for the journal, until Release or Close is called, the process ends, however
// it ends, or the ownership is lost. It does not wait: an *OwnedError when another process, or another Own of this
// one, has it.
//
// On SQLite it is the kernel's lock on a file beside the journal, which can't be lost. On PostgreSQL it is a lease in
// the database's time and a lock of a session beside it: see lease.go.
func (s *Store) Own(ctx context.Context) (*Ownership, error) {
	candidate := s.dialect.candidate()
	owner, err := s.take(ctx, candidate)
	if err != nil {
		candidate.close()
	}
	return owner, err
}

// WaitToOwn is Own for a process that stands by: it waits until it has the ownership, or ctx ends. waiting is told why
// it has to wait, whenever the reason is another one than before.
func (s *Store) WaitToOwn(ctx context.Context, waiting func(error)) (*Ownership, error) {
	candidate := s.dialect.candidate()
	told := ""
	for {
		owner, err := s.take(ctx, candidate)
		if err == nil {
			return owner, nil
		}
		if ctx.Err() != nil {
			candidate.close()
			return nil, ctx.Err()
		}
		if err.Error() != told {
			told = err.Error()
			waiting(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(ownPause):
		}
	}
}

func (s *Store) take(ctx context.Context, candidate candidate) (*Ownership, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errStalled)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	lock, err := candidate.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("own the journal: %w", s.explain(ctx, err))
	}
	s.owning.keep(lock)
	return &Ownership{lock: lock, journal: s.dialect.String()}, nil
}

// Replicas is how many processes own this journal or stand by for it, as far as this one knows: 1 before it has asked.
func (s *Store) Replicas() int { return max(1, s.dialect.replicas()) }

// Ownership is the right to act for a journal. Its methods may be called from several goroutines at once.
type Ownership struct {
	lock    ownLock
	journal string
}

// Lost is closed once another process may act for the journal: the process that had the ownership stops acting at once.
// It is closed before anybody else gets the ownership, unless this process stood still meanwhile: then epochs, in the
// journal and on the hosts, keep the two apart. Release does not close it.
func (o *Ownership) Lost() <-chan struct{} { return o.lock.lost() }

// Err is nil while the ownership holds, by the clock as well: a process that stood still may have lost it without
// having been told yet. After that it is an ErrOwnershipLost that says how.
func (o *Ownership) Err() error {
	if err := o.lock.err(); err != nil {
		return fmt.Errorf("%w %s: %w", ErrOwnershipLost, o.journal, err)
	}
	return nil
}

// News is told that another process has put something into the inbox, where the database tells of that.
func (o *Ownership) News() <-chan struct{} { return o.lock.news() }

// Context is a context for what the owner does: it ends with ctx, with cancel, and when the ownership is lost, with Err
// as its cause. Call cancel.
func (o *Ownership) Context(ctx context.Context) (owner context.Context, cancel context.CancelFunc) {
	owner, end := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-o.lock.lost():
			end(o.Err())
		case <-owner.Done():
		}
	}()
	return owner, func() { end(nil) }
}

// Release gives the ownership back. It may be called more than once.
func (o *Ownership) Release() { o.lock.release() }

// candidate is a process that would own a journal. Its methods are for one goroutine at a time.
type candidate interface {
	// take takes the ownership without waiting: an *OwnedError when somebody has it.
	take(ctx context.Context) (ownLock, error)
	// close gives up; not to be called after a take that succeeded.
	close()
}

// ownLock is a lock that dies with its process.
type ownLock interface {
	// lost is closed when the lock may be somebody else's, and stays open where that can't happen. err says why, and
	// may say so a moment before.
	lost() <-chan struct{}
	err() error
	// term names this ownership among all that there ever were; empty where none but its process can ever end it.
	term() string
	news() <-chan struct{}
	// release gives the lock back. It may be called more than once.
	release()
}

// owning is the lock that a Store has, if any. The Store keeps it so that Close can give it back, and because a file
// that nothing refers to is closed by the garbage collector, and the lock with it.
type owning struct {
	mu   sync.Mutex
	lock ownLock
}

func (o *owning) keep(lock ownLock) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lock = lock
}

// term is that of the ownership that the Store had last.
func (o *owning) term() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lock == nil {
		return ""
	}
	return o.lock.term()
}

func (o *owning) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lock != nil {
		o.lock.release()
		o.lock = nil
	}
}
