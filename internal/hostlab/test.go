package hostlab

import (
	"context"
	"io"
	"os/exec"
	"testing"

	"rollbackbot/internal/parts"
)

// Open makes a lab whose hosts end with the test. It ends the test as missing its part where no host could be started.
func Open(tb testing.TB) *Lab {
	tb.Helper()
	parts.HostRoots(tb)
	lab, err := NewLab()
	if err != nil {
		tb.Fatalf("open a lab: %v", err)
	}
	tb.Cleanup(func() {
		if err := lab.Close(); err != nil {
			tb.Errorf("close the lab: %v", err)
		}
	})
	return lab
}

// Start boots a host of a generation, and skips the test where that generation was not built.
func (l *Lab) Start(tb testing.TB, g Generation) *Host {
	tb.Helper()
	if _, err := parts.FindHostRoot(string(g)); err != nil {
		tb.Skip(err)
	}
	h, err := l.Boot(g)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// Script runs a script as root with sh and gives what it printed. A failure ends the test.
func (h *Host) Script(tb testing.TB, script string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	out, err := h.run(ctx, script)
	if err != nil {
		tb.Fatalf("%s: %s: %v\n%s", h.name, script, err, out)
	}
	return out
}

// Login runs a line as an account in its login shell, as a person who has logged in types it, and gives what it printed. A
// failure ends the test.
func (h *Host) Login(tb testing.TB, account, line string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	out, err := h.login(ctx, account, line)
	if err != nil {
		tb.Fatalf("%s: %s: %v\n%s", h.name, line, err, out)
	}
	return out
}

// Feed is Script with something to read on its standard input.
func (h *Host) Feed(tb testing.TB, script string, input io.Reader) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := h.enter(ctx, "/bin/sh", "-c", script)
	cmd.Stdin = input
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %s: %v\n%s", h.name, script, err, out)
	}
}

// Try is Script for what may fail.
func (h *Host) Try(script string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return h.run(ctx, script)
}

// Unplug takes the host's cable out, until Plug: what is under way there goes on, and nothing of it is heard.
func (h *Host) Unplug(tb testing.TB) { h.cable(tb, "down") }

// Plug puts the cable back.
func (h *Host) Plug(tb testing.TB) { h.cable(tb, "up") }

func (h *Host) cable(tb testing.TB, state string) {
	tb.Helper()
	if out, err := exec.Command("ip", "link", "set", end(h.place.number), state).CombinedOutput(); err != nil {
		tb.Fatalf("%s: the cable %s: %v: %s", h.name, state, err, out)
	}
}
