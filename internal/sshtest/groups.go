package sshtest

import (
	"errors"
	"sync"
	"syscall"
)

// groups are the process groups that a server started and in which something may still run. The zero value is empty.
type groups struct {
	leaders sync.WaitGroup // goroutines that wait for a group's first process

	mu      sync.Mutex
	ids     map[int]struct{}
	killing bool // what is added is killed at once
}

func (g *groups) add(id int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.killing {
		_ = syscall.Kill(-id, syscall.SIGKILL)
		return
	}
	if g.ids == nil {
		g.ids = make(map[int]struct{})
	}
	g.ids[id] = struct{}{}
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

// killAll ends what runs in all groups, without asking, and what is added later.
func (g *groups) killAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.killing = true
	for id := range g.ids {
		_ = syscall.Kill(-id, syscall.SIGKILL) // a group that is gone is what we want
		delete(g.ids, id)
	}
}
