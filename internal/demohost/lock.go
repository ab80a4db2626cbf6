package demohost

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// openLocked opens a file, making it when there is none, and waits for its kernel lock: syscall.LOCK_EX or LOCK_SH,
// with LOCK_NB so that it doesn't wait but gives syscall.EWOULDBLOCK. Closing the file gives the lock back.
func openLocked(path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file, nil
}

// held reports whether some process holds a file's lock exclusively. A file that is not there is not held.
func held(path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	file, err := openLocked(path, syscall.LOCK_SH|syscall.LOCK_NB)
	if err != nil {
		return errors.Is(err, syscall.EWOULDBLOCK)
	}
	file.Close()
	return false
}

// whenHostEnds waits in the background until the process that started the host is gone or has closed it, and calls end.
func whenHostEnds(f folder, end func()) {
	go func() {
		// The file stays open, and the lock shared, until end has ended this process.
		_, _ = openLocked(f.lifeline(), syscall.LOCK_SH) // where the folder is gone already, so is the host
		end()
	}()
}
