package demohost

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// sweepLimit bounds the search for processes that live on: killed ones are gone in milliseconds, and on a machine that
// is busy with something else when their turn comes.
const sweepLimit = time.Minute

// sweep kills every process of the host until there is none.
func (f folder) sweep() error {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		left := f.processes()
		switch {
		case len(left) == 0:
			return nil
		case time.Since(began) > sweepLimit:
			return fmt.Errorf("these processes of the demo's host don't end: %v", left)
		}
		for _, pid := range left {
			f.kill(pid)
		}
	}
}

// processes are the IDs of all processes that carry the host's marker in their environment, zombies left out.
func (f folder) processes() []int {
	var found []int
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil // the pattern is well-formed
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err == nil && pid != os.Getpid() && f.owns(pid) {
			found = append(found, pid)
		}
	}
	return found
}

func (f folder) owns(pid int) bool {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false // gone, or somebody else's
	}
	for pair := range bytes.SplitSeq(environment, []byte{0}) {
		if string(pair) == marker+"="+string(f) {
			return true
		}
	}
	return false
}

// kill kills a process. It looks at it once more when it has hold of it, since its number may have been given away.
func (f folder) kill(pid int) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer func() { _ = process.Release() }()
	if f.owns(pid) {
		_ = process.Kill() // one that has ended meanwhile needs none
	}
}

// removeAll removes the folder. Somebody may have put a file into it between the listing and the removal.
func (f folder) removeAll() error {
	var err error
	for range 5 {
		if err = os.RemoveAll(string(f)); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.Join(errors.New("the demo's folder can't be removed"), err)
}
