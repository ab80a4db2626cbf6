package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	return fmt.Sprintf("%s acts for the journal %s already: one process does at a time; stop that one first", who, e.Path)
}

// ErrOwnershipLost says that another process may act for the journal by now.
var ErrOwnershipLost = errors.New("this process no longer acts for the journal")

// Own makes this process the one that acts for the journal, until Release or Close is called, the process ends, however
// it ends, or the ownership is lost. It does not wait: an *OwnedError when another process, or another Own of this
// one, has it.
//
// On SQLite it is the kernel's lock on a file beside the journal, which can't be lost. On PostgreSQL it is a lock of a
// session on a connection of its own, and lost with that: see Ownership.Lost.
func (s *Store) Own(ctx context.Context) (*Ownership, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errStalled)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	lock, err := s.dialect.own(ctx)
	if err != nil {
		return nil, fmt.Errorf("own the journal: %w", s.explain(ctx, err))
	}
	s.owning.keep(lock)
	return &Ownership{lock: lock, journal: s.dialect.String()}, nil
}

// Ownership is the right to act for a journal. Its methods may be called from several goroutines at once.
type Ownership struct {
	lock    ownLock
	journal string
}

// Lost is closed once another process may act for the journal: the process that had the ownership stops acting at once.
// It is closed before PostgreSQL gives the lock to anybody else, except where it was PostgreSQL that ended the
// connection: then both happen at once, and epochs keep the two apart. Release does not close it.
func (o *Ownership) Lost() <-chan struct{} { return o.lock.lost() }

// Err is nil until Lost is closed; then an ErrOwnershipLost that says how.
func (o *Ownership) Err() error {
	select {
	case <-o.lock.lost():
		return fmt.Errorf("%w %s: %w", ErrOwnershipLost, o.journal, o.lock.err())
	default:
		return nil
	}
}

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

func (o *owning) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lock != nil {
		o.lock.release()
		o.lock = nil
	}
}
