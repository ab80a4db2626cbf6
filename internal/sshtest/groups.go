package sshtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// groups are the process groups that a server started and in which something may still run. The zero value is empty.
type groups struct {
	leaders sync.WaitGroup // goroutines that wait for a group's first process

	mu      sync.Mutex
	ids     map[int]string // when the first process of each began, as the kernel tells; "" where it doesn't
	killing bool           // what is added is killed at once
}

func (g *groups) add(id int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.killing {
		_ = syscall.Kill(-id, syscall.SIGKILL)
		return
	}
	if g.ids == nil {
		g.ids = make(map[int]string)
	}
	g.ids[id] = began(id)
}

// leaderEnded forgets a group in which nothing runs any more: its number may be given to somebody else.
// A group with members left is kept, and its number with it.
func (g *groups) leaderEnded(id int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if errors.Is(syscall.Kill(-id, 0), syscall.ESRCH) {
		delete(g.ids, id)
	}
}

// killAll ends what runs in all groups, without asking, and what is added later. A group whose members ended after its
// first process is still listed, and its number may be another program's by now: that one is left alone.
func (g *groups) killAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.killing = true
	for id, first := range g.ids {
		if now := began(id); now != "" && now != first {
			delete(g.ids, id)
			continue
		}
		_ = syscall.Kill(-id, syscall.SIGKILL) // a group that is gone is what we want
		delete(g.ids, id)
	}
}

// began tells when a process began, in clock ticks since the machine did (proc_pid_stat(5), field 22); "" for one that
// isn't there, or where there is no /proc.
func began(pid int) string {
	const field = 22
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the name before it may hold anything
	const before = 2                                                // the fields that end with the name
	if len(fields) < field-before {
		return ""
	}
	return string(fields[field-before-1])
}
