package parts

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Freeze stops every process of the server where it stands: connections stay, and nothing answers.
func (s *PostgreSQLServer) Freeze(tb testing.TB) {
	tb.Helper()
	if err := s.signal(syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
}

// Thaw lets a frozen server go on. It does nothing to one that is not frozen or does not run.
func (s *PostgreSQLServer) Thaw() {
	_ = s.signal(syscall.SIGCONT) // a server that does not run is not frozen
}

// signal sends a signal to the postmaster, which then starts no further process, and to those that it started.
func (s *PostgreSQLServer) signal(signal syscall.Signal) error {
	pidFile, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(pidFile), "\n")
	postmaster, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return err
	}
	if err := syscall.Kill(postmaster, signal); err != nil {
		return err
	}
	for _, child := range childrenOf(postmaster) {
		_ = syscall.Kill(child, signal) // it may have ended meanwhile
	}
	return nil
}

// childrenOf lists the processes whose parent it is. Each of PostgreSQL's leads a session of its own, so that no
// signal to a group reaches them all.
func childrenOf(parent int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// PID (name) state parent …, and the name may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			children = append(children, pid)
		}
	}
	return children
}
