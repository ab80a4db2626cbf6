package compose_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

// shell runs commands on one host, as ssh.Client does.
type shell interface {
	Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error)
}

// link is a shell of which an answer can be lost.
type link struct {
	shell
	cut func(hosttest.Cut) // ends the connections

	mu   sync.Mutex
	next *hosttest.Cut // of whose method the next answer is lost
}

// words are what tells the command by which a method changes something, or asks what the method is for.
var words = map[string]string{
	"Look": "ps", "Preflight": "ps", "Prove": "config", "Images": "image", "Logs": "logs", "Fetch": "pull",
	"EditPins": "pin", "Start": "act", "Follow": "follow", "Lock": "show", "Take": "take", "Release": "release",
}

func (l *link) lose(cut hosttest.Cut) error {
	if words[cut.Method] == "" {
		return fmt.Errorf("%w: cut %s", hosttest.ErrCannot, cut.Method)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = &cut
	return nil
}

// Run runs a command. Where its answer is to be lost the connections are cut when it has come.
func (l *link) Run(ctx context.Context, cmd runbook.Command, stdin []byte) (int, []byte, []byte, error) {
	cut := l.lost(cmd)
	status, stdout, stderr, err := l.shell.Run(ctx, cmd, stdin)
	if cut == nil || err != nil {
		return status, stdout, stderr, err
	}
	l.cut(*cut)
	return 0, nil, nil, fmt.Errorf("%w: cut by the bench", runbook.ErrLost)
}

// lost takes the cut that this command is for.
func (l *link) lost(cmd runbook.Command) *hosttest.Cut {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil || !slices.Contains(cmd.Args, words[l.next.Method]) {
		return nil
	}
	cut := l.next
	l.next = nil
	return cut
}
