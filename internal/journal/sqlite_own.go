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

// fileLock is the kernel's lock on a file beside the journal.
type fileLock struct {
	mu   sync.Mutex
	file *os.File
}

var _ candidate = sqliteFile("")

func (f sqliteFile) candidate() candidate { return f }

// replicas: a second process on a file is one that is about to succeed the first.
func (f sqliteFile) replicas() int { return 0 }

func (f sqliteFile) take(context.Context) (ownLock, error) {
	file, err := lockFile(string(f))
	if err != nil {
		return nil, err
	}
	return &fileLock{file: file}, nil
}

func (f sqliteFile) close() {} // nothing is kept between two attempts

// lost is never closed: the kernel takes the lock from nobody.
func (l *fileLock) lost() <-chan struct{} { return nil }

func (l *fileLock) err() error { return nil }

func (l *fileLock) term() string { return "" }

// news: SQLite tells nobody of what another process writes. Whoever waits for something looks from time to time.
func (l *fileLock) news() <-chan struct{} { return nil }

func (l *fileLock) release() {
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
