package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// OwnedError says that another process acts for this journal.
type OwnedError struct {
	Path string // the journal
	PID  int    // the process; 0 when it could not be read
}

func (e *OwnedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s acts for the journal %s already: one process does at a time; stop that one first", who, e.Path)
}

// Own makes this process the one that acts for the journal, until release or Close is called or the process ends,
// however it ends: the lock is the kernel's, on a file beside the journal. It does not wait: an *OwnedError when
// another process, or another Own of this one, has it. release may be called more than once.
func (s *Store) Own(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := lockFile(s.path)
	if err != nil {
		return nil, fmt.Errorf("own the journal: %w", err)
	}
	s.lock.keep(file)
	return s.lock.release, nil
}

// ownLock is the lock's open file. The Store keeps it: a file that nothing refers to is closed by the garbage
// collector, and the lock with it.
type ownLock struct {
	mu   sync.Mutex
	file *os.File
}

func (l *ownLock) keep(file *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file = file
}

func (l *ownLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close() // the lock is gone either way
		l.file = nil
	}
}

// lockFile opens the lock file of the journal at path and locks it.
func lockFile(path string) (*os.File, error) {
	// The file is never removed: whoever holds a lock on a removed file would not notice who locks its successor.
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := flock(file); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(&OwnedError{Path: path, PID: readPID(file)}, file.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
	}
	// For the message of others alone, and cut off first: a shorter number must not keep a longer one's digits.
	if err := errors.Join(file.Truncate(0), writePID(file)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// flock takes the kernel's exclusive lock on file without waiting. Closing the file gives it back.
func flock(file *os.File) error {
	for {
		// Go opens files close-on-exec, so that no command started from here inherits the lock.
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func writePID(file *os.File) error {
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID is the process that the file names, or 0.
func readPID(file *os.File) int {
	var digits [20]byte
	n, _ := file.ReadAt(digits[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(digits[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
