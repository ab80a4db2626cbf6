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
// Compose and Chromium take one. A test whose parent has one needs no other, so that nobody waits for who waits for them.
func Turn(tb testing.TB) {
	tb.Helper()
	if turns.taken(tb.Name()) {
		return
	}
	release, err := takeTurn(filepath.Join(os.TempDir(), fmt.Sprintf("rollbackbot-turns-%d", os.Geteuid())), runtime.NumCPU())
	if err != nil {
		tb.Fatalf("take a turn: %v", err)
	}
	turns.add(tb.Name())
	tb.Cleanup(func() {
		turns.remove(tb.Name())
		release()
	})
}

// turnPause parts two looks for a turn.
const turnPause = 20 * time.Millisecond

// takeTurn takes one of the folder's turns: the lock on one of so many files. The kernel gives it back, however a process
// ends.
func takeTurn(folder string, places int) (release func(), err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	for ; ; time.Sleep(turnPause) {
		for place := range places {
			file, err := os.OpenFile(filepath.Join(folder, fmt.Sprint(place)), os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				return nil, err
			}
			if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				return func() { _ = file.Close() }, nil
			}
			_ = file.Close()
		}
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
