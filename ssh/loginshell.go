package ssh

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// run runs a command in a login shell. One that ended before it came to the command is asked again in the other way, since
// nothing was begun; the way that works is kept.
func (c *Client) run(ctx context.Context, cmd runbook.Command, stdin []byte) (result, error) {
	ways := []string{asArgument, asInput}
	if c.asInput.Load() {
		ways = []string{asInput, asArgument}
	}
	var r result
	var unbegun *unbegunError
	for _, way := range ways {
		m := newMark()
		var err error
		if r, err = c.call(ctx, call{remoteLine(way, m, cmd), m, stdin}); !errors.As(err, &unbegun) {
			if err == nil {
				c.asInput.Store(way == asInput)
			}
			return r, err
		}
	}
	err := c.loginShellProblem(ctx, unbegun)
	// sshd keeps the account as it was at the log-in: who has given it another shell is to find it used.
	c.forget(unbegun.link)
	return r, err
}

// forget has the next command dial. Others that are under way on the connection get their time.
func (c *Client) forget(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.kept; d != nil && d.ended() && d.link == l {
		c.kept = nil
		time.AfterFunc(DefaultTimeout, l.close)
	}
}

// call opens a session for one call.
func (c *Client) call(ctx context.Context, asked call) (result, error) {
	s, err := c.open(ctx)
	if err != nil {
		return result{}, err
	}
	return s.run(ctx, asked)
}

// runsNoCommands is the remedy where sshd has the user's shell run nothing.
const runsNoCommands = "give that user a login shell, and remove ForceCommand, restrictions in authorized_keys, and what ends or replaces the shell in its ~/.bashrc"

// loginShellProblem says why no command was begun.
func (c *Client) loginShellProblem(ctx context.Context, unbegun *unbegunError) error {
	prints := "it prints nothing"
	if line := firstLine(unbegun.printed); line != "" {
		prints = fmt.Sprintf("the first line that it prints is %q", line)
	}
	asked, err := c.call(ctx, call{line: whichShell})
	shell := lastWord(asked.stdout)
	switch {
	case err != nil && !errors.Is(err, runbook.ErrLost):
		return err
	case strings.HasSuffix(path.Base(shell), "csh"):
		return c.problem(unbegun, fmt.Sprintf("the login shell of %s is %s, which doesn't run commands as other shells do", c.user(), shell),
			fmt.Sprintf("give it another one, as root there: chsh -s /bin/sh %s", c.user()))
	case !path.IsAbs(shell):
		return c.problem(unbegun, fmt.Sprintf("it does not run commands for %s: %s", c.user(), prints),
			runsNoCommands)
	}
	return c.problem(unbegun, fmt.Sprintf("a login shell of %s (%s) ends, or becomes another program, before it comes to a command: %s", c.user(), shell, prints),
		"let its profile do that at a terminal alone: there, change `exit`, `exec …` or `read` to `[ -t 0 ] && …`")
}

// lastWord is the last word of an output; "" where there is none.
func lastWord(printed []byte) string {
	words := strings.Fields(string(printed))
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
