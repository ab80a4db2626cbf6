package compose

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// processesOf are the processes whose command line has the marker. There is a program for that, but not on every machine
// that has Go.
func processesOf(t *testing.T, marker string) (found []*os.Process) {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		line, err := os.ReadFile(entry)
		if err != nil || !bytes.Contains(line, []byte(marker)) {
			continue // gone, or another
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if process, err := os.FindProcess(pid); err == nil {
			found = append(found, process)
		}
	}
	return found
}
