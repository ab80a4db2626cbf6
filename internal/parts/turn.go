package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Turn waits until few enough heavy tests are under way on this machine, and takes a turn until the test ends: a test
// with containers, with a browser, or with nothing but work for the processor. As many have one as there are processors,
// whichever packages they are in. What the test then does is not held up by the others, so that its seconds are its own.
//
// Compose and Chromium take one, and no two of different kinds: a browser gives up what it loads whenever an address of
// the machine comes or goes (net::ERR_NETWORK_CHANGED), as those of containers do.
//
// A test whose parent has a turn needs no other, so that nobody waits for who waits for them.
func Turn(tb testing.TB) {
	tb.Helper()
	turnOf(tb, anything)
}

// kind is what keeps heavy tests apart, beside their number.
type kind string

const (
	anything kind = ""
	engine   kind = "engine"
	browser  kind = "browser"
)

func turnOf(tb testing.TB, of kind) {
	tb.Helper()
	if turns.taken(tb.Name()) {
		return
	}
	queue := queue{filepath.Join(os.TempDir(), fmt.Sprintf("rollbackbot-turns-%d", os.Geteuid())), runtime.NumCPU()}
	release, err := queue.take(of)
	if err != nil {
		tb.Fatalf("take a turn: %v", err)
	}
	turns.add(tb.Name())
	tb.Cleanup(func() {
		turns.remove(tb.Name())
		release()
	})
}

// queue is a folder of files whose locks are the turns: the kernel gives them back, however a process ends.
type queue struct {
	folder string
	places int
}

// turnPause parts two looks for a turn.
const turnPause = 20 * time.Millisecond

// take takes a turn. One at a time waits for it, and everybody else for that one: otherwise tests of one kind, which let
// each other in, would keep the other kind out for as long as there are any.
func (q queue) take(of kind) (release func(), err error) {
	if err := os.MkdirAll(q.folder, 0o700); err != nil {
		return nil, err
	}
	head, err := q.await("head", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer head.Close()
	var held []*os.File
	for _, other := range []kind{engine, browser} {
		how := syscall.LOCK_SH
		switch of {
		case anything:
			continue
		case other:
		default:
			how = syscall.LOCK_EX // when nobody of that kind has it any more
		}
		file, err := q.await(string(other), how)
		if err != nil {
			return nil, err
		}
		if of == other {
			held = append(held, file)
		} else {
			_ = file.Close() // nobody comes in before this one is
		}
	}
	place, err := q.place()
	if err != nil {
		return nil, err
	}
	held = append(held, place)
	return func() {
		for _, file := range held {
			_ = file.Close()
		}
	}, nil
}

// place waits for one of the places.
func (q queue) place() (*os.File, error) {
	for ; ; time.Sleep(turnPause) {
		for i := range q.places {
			if file, err := q.try(fmt.Sprint(i), syscall.LOCK_EX); file != nil || err != nil {
				return file, err
			}
		}
	}
}

// await waits for a lock.
func (q queue) await(name string, how int) (*os.File, error) {
	for ; ; time.Sleep(turnPause) {
		if file, err := q.try(name, how); file != nil || err != nil {
			return file, err
		}
	}
}

// try takes a lock that is free; nil if it isn't.
func (q queue) try(name string, how int) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(q.folder, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB); err {
	case nil:
		return file, nil
	case syscall.EWOULDBLOCK, syscall.EINTR:
		return nil, file.Close()
	default:
		_ = file.Close() // the lock's error says more
		return nil, err
	}
}

// holders are the tests of this process that have a turn.
type holders struct {
	mu    sync.Mutex
	names map[string]bool
}

var turns = holders{names: map[string]bool{}}

// taken tells whether a test has a turn, or one that it is a part of.
func (h *holders) taken(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for holder := range h.names {
		if name == holder || strings.HasPrefix(name, holder+"/") {
			return true
		}
	}
	return false
}

func (h *holders) add(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names[name] = true
}

func (h *holders) remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.names, name)
}
