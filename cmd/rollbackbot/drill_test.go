package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
	"rollbackbot/internal/standin"
)

// drilling is a running `rollbackbot drill`.
type drilling struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

func (d *drilling) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.Write(p)
}

func (d *drilling) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.String()
}

func (w *homeWorld) drill(t *testing.T, args ...string) *drilling {
	t.Helper()
	d := &drilling{cmd: w.command(context.WithoutCancel(t.Context()), append([]string{"drill", "shop", "--as", onCall}, args...)...)}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	return d
}

func (d *drilling) wait(t *testing.T) int {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- d.cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatalf("the drill doesn't end:\n%s", d.text())
	}
	return d.cmd.ProcessState.ExitCode()
}

// drillRequest waits for the message of a drill's request.
func (w *homeWorld) drillRequest(t *testing.T, d *drilling) localslack.Message {
	t.Helper()
	var found []localslack.Message
	deadline := time.Now().Add(patience)
	for len(found) == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("no drill is asked for:\n%s\n%s", d.text(), w.transcript())
		}
		w.news()
		found = ofKind(w.slack.Snapshot(), "rollback_drill_request")
	}
	return found[0]
}

// untouched is all of the host and the journal that a drill could have changed.
func (w *homeWorld) untouched(t *testing.T) string {
	t.Helper()
	var host string
	w.host.Inside.Set(func(s *standin.State) { host = fmt.Sprint(s.Containers, s.Pins, s.Other, s.Lease) })
	export := w.mustRun(t, "audit", "export")
	var kept []string
	for line := range strings.Lines(export) {
		for _, kind := range []string{"requested", "quarantined", "step_started", "command_started", "lease_taken", "ended", "refused"} {
			if strings.Contains(line, `"`+kind+`"`) {
				kept = append(kept, line)
			}
		}
	}
	return host + "\n" + strings.Join(kept, "")
}

// known waits until the bot knows all that it can of both releases.
func (w *homeWorld) known(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		export := w.mustRun(t, "audit", "export")
		if strings.Contains(export, `"verified"`) && strings.Count(export, `"described"`) >= 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the bot doesn't come to know its releases:\n%s", export)
		}
	}
}

// A whole drill beside a bot that runs, and where none does: people see it as a drill, and nothing has changed after it.
func TestDrill_WithServeAndWithout(t *testing.T) {
	for _, served := range []bool{true, false} {
		t.Run(map[bool]string{true: "beside serve", false: "alone"}[served], func(t *testing.T) {
			t.Parallel()
			w := newHomeWorld(t)
			w.deploys(t, practice.V1, "none")
			w.noteOnly(t, practice.V2, "yes")
			if served {
				w.serve(t, nil)
				w.connected(t)
				w.known(t) // what the observer finds out meanwhile would make a new plan
			}
			before := w.untouched(t)
			d := w.drill(t, "--to", practice.V2)
			request := w.drillRequest(t, d)
			for _, part := range []string{"DRILL: ", "This is a drill.", "Roll back shop to v2"} {
				if !strings.Contains(string(request.Blocks), part) {
					t.Errorf("the request doesn't say %q: %s", part, request.Blocks)
				}
			}
			// Whoever may not is refused as in earnest.
			w.refused(t, nobody, request.TS, "signoff_in_place", "Only an engineering lead can decide this")
			w.clicks(t, lead, request.TS, "signoff_in_place")
			w.clicks(t, onCall, w.question(t, request.TS, "error_rate_baseline"), "error_rate_baseline")
			if status := d.wait(t); status != 0 {
				t.Errorf("the drill ends with status %d", status)
			}
			for _, part := range []string{
				"would run on " + string(w.host.Host) + ": cd ", " up -d --no-deps --pull never ", "API_IMAGE=" + w.host.Images(practice.V2)["api"].String(),
				"The drill ended: succeeded.", "from the request to the sign-off", "in all", "Not proven:", "no container was replaced",
			} {
				if !strings.Contains(d.text(), part) {
					t.Errorf("the terminal doesn't say %q:\n%s", part, d.text())
				}
			}
			if after := w.untouched(t); after != before {
				t.Errorf("before the drill there was\n%s\nafter it there is\n%s", before, after)
			}
			now := w.slack.Snapshot()
			if records := ofKind(now, "rollback_drill_record"); len(records) != 1 || !strings.Contains(records[0].Text, "What the drill did not prove") || !strings.HasPrefix(records[0].Text, "DRILL: ") {
				t.Errorf("%d records of the drill:\n%s", len(records), w.transcript())
			}
			if len(ofKind(now, "rollback_request"))+len(ofKind(now, "rollback_record")) != 0 {
				t.Error("programs take the drill for a rollback")
			}
			for _, m := range append(now.Messages(channel), now.Replies(channel, request.TS)...) {
				if m.User == botUser && !strings.HasPrefix(m.Text, "DRILL: ") {
					t.Errorf("a message isn't marked: %s", m.Text)
				}
			}
			private := now.Direct(lead)
			for _, m := range private {
				if !strings.HasPrefix(m.Text, "DRILL: ") {
					t.Errorf("a private message isn't marked: %s", m.Text)
				}
			}
			if len(private) == 0 {
				t.Error("the lead was not written to")
			}
			w.mustRun(t, "allowed", w.host.Images(practice.V1)["api"].String())
			w.mustRun(t, "audit", "verify")
		})
	}
}

// A drill that is told to end says so in Slack; a button of it then leads nowhere, and says that.
func TestDrill_Interrupted(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	w.deploys(t, practice.V1, "none")
	w.noteOnly(t, practice.V2, "yes")
	d := w.drill(t, "--to", practice.V2)
	request := w.drillRequest(t, d)
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := d.wait(t); status != 1 {
		t.Errorf("it ends with status %d, want 1", status)
	}
	records := ofKind(w.slack.Snapshot(), "rollback_drill_record")
	if len(records) != 1 || !strings.Contains(records[0].Text, "aborted") {
		t.Errorf("%d records:\n%s\n%s", len(records), w.transcript(), d.text())
	}
	if m, _ := w.slack.Snapshot().Message(channel, request.TS); strings.Contains(string(m.Blocks), "signoff_in_place") {
		t.Error("the buttons are there still")
	}
}

// noteOnly notes a release that is not deployed.
func (w *homeWorld) noteOnly(t *testing.T, version, migration string) {
	t.Helper()
	args := []string{"deployed", "shop", "--version", version, "--migration", migration}
	for service, image := range w.host.Images(version) {
		args = append(args, "--image", service+"="+image.String())
	}
	w.mustRun(t, args...)
}

// A real rollback comes before any drill: it is taken as ever, and the drill ends.
func TestDrill_MakesWayForARollback(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	w.deploys(t, practice.V1, "none")
	w.noteOnly(t, practice.V2, "yes")
	w.serve(t, nil)
	w.connected(t)
	w.known(t)
	d := w.drill(t, "--to", practice.V2)
	w.drillRequest(t, d)
	w.types(t, onCall, "/rollback shop to "+practice.V2+" because this is no drill")
	request, _ := w.request(t, 1)
	if status := d.wait(t); status != 1 || !strings.Contains(d.text(), "a real rollback of shop was asked for") {
		t.Errorf("the drill ends with status %d:\n%s", status, d.text())
	}
	if strings.Contains(request.Text, "DRILL") {
		t.Errorf("the rollback is taken for a drill: %s", request.Text)
	}
	// And none begins beside it.
	if status, _, stderr := w.run(t, "drill", "shop", "--as", onCall); status != 1 || !strings.Contains(stderr, "has rollback") {
		t.Errorf("a drill beside a rollback ends with status %d: %s", status, stderr)
	}
}

// Who may not ask for a rollback may not practise one, and bad usage is told.
func TestDrill_Refused(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	w.deploys(t, practice.V1, "none")
	if status, _, stderr := w.run(t, "drill", "shop", "--as", nobody); status != 1 || !strings.Contains(stderr, "You can't ask for a rollback") {
		t.Errorf("status %d: %s", status, stderr)
	}
	for _, args := range [][]string{{"drill"}, {"drill", "shop"}, {"drill", "blog", "--as", onCall}} {
		if status, _, stderr := w.run(t, args...); status != 2 || stderr == "" {
			t.Errorf("%q: status %d: %s", args, status, stderr)
		}
	}
	if len(w.slack.Messages(channel)) != 0 {
		t.Errorf("the channel is told:\n%s", w.transcript())
	}
}
