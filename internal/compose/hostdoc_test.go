package compose

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
)

// shellForms are the scripts of docs/host.md as they stand there, for pipelines without the binary.
func shellForms(t *testing.T) (whole, shortest string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/host.md")
	if err != nil {
		t.Fatal(err)
	}
	var forms []string
	for rest := string(text); ; {
		_, after, found := strings.Cut(rest, "\n```sh\n")
		if !found {
			break
		}
		form, after, ended := strings.Cut(after, "\n```\n")
		if !ended {
			t.Fatal("docs/host.md has a block without an end")
		}
		forms, rest = append(forms, form), after
	}
	if len(forms) != 2 {
		t.Fatalf("docs/host.md has %d blocks of sh, want the whole form and the shortest", len(forms))
	}
	return forms[0], forms[1]
}

// pipeline runs a form on the host as a job does, with a deployment of the test's own in docker's place.
type pipeline struct {
	shellHost
	form string
}

func newPipeline(h shellHost, form, deployment string) pipeline {
	h.t.Helper()
	bin := filepath.Join(h.home, "bin")
	err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\n"+deployment+"\n"), 0o755))
	if err != nil {
		h.t.Fatal(err)
	}
	return pipeline{h, form}
}

func (p pipeline) command(ctx context.Context, out *bytes.Buffer) *exec.Cmd {
	words := append(append([]string{}, p.shell...), "-c", p.form)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+p.home, "CI_JOB_ID=4711", "PATH="+filepath.Join(p.home, "bin")+":"+os.Getenv("PATH"))
	cmd.Dir = p.home
	if out != nil { // else nobody waits for what the command leaves behind
		cmd.Stdout, cmd.Stderr = out, out
	}
	return cmd
}

// deploys runs the form to its end, and reports whether it deployed.
func (p pipeline) deploys(status int, says ...string) bool {
	p.t.Helper()
	done := filepath.Join(p.home, "deployed")
	_ = os.Remove(done) // it may not be there
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := p.command(ctx, &out)
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		p.t.Errorf("the form ended with status %d, want %d: %s", got, status, out.String())
	}
	runbooktest.WantText(p.t, "the form", out.String(), says...)
	_, err := os.Stat(done)
	return err == nil
}

const deployed = `echo "$@" >"$HOME/deployed"`

func TestHostDoc_TheWholeFormTakesPart(t *testing.T) {
	whole, _ := shellForms(t)
	eachShell(t, func(t *testing.T, h shellHost) {
		p := newPipeline(h, whole, deployed+"; exit 5")
		if !p.deploys(5) {
			t.Error("on a host where nobody ever held the lock it does not deploy")
		}
		h.want(takeLease("shop", lease("rb-a", 1), true, 0), guardStale) // its epoch counts
		h.want(takeLease("shop", lease("rb-a", 2), true, 0), 0)          // it gave the lock back
		if p.deploys(75, "holder=UONCALL", "rollback=rb-a") {
			t.Error("it deployed while a rollback held the lock")
		}
		h.want(releaseLease("shop", lease("rb-a", 2)), 0)
		if !p.deploys(5) {
			t.Error("it does not deploy after a rollback")
		}
		if err := os.WriteFile(filepath.Join(h.home, ".rollbackbot/shop/lease"), []byte("rubbish\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if p.deploys(75, "is damaged") {
			t.Error("it deployed on a damaged lease")
		}
	})
}

func TestHostDoc_TheWholeFormKeepsARollbackOut(t *testing.T) {
	whole, _ := shellForms(t)
	eachShell(t, func(t *testing.T, h shellHost) {
		const lasts = "seconds=3600"
		if strings.Count(whole, lasts) != 1 {
			t.Fatal("the form does not say once how long it may take")
		}
		p := newPipeline(h, strings.Replace(whole, lasts, "seconds=10", 1), `echo >"$HOME/begun"; exec sleep 60`)
		job := p.command(t.Context(), nil)
		if err := job.Start(); err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			if _, err := os.Stat(filepath.Join(h.home, "begun")); err == nil {
				break
			}
			if i > 15000 {
				t.Fatal("it never began")
			}
			time.Sleep(20 * time.Millisecond)
		}
		// The job is killed in the middle; what it started goes on, and so does its lease.
		if err := job.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = job.Wait() // killed
		refusal := guardError("deploy@one", h.want(takeLease("shop", lease("rb-a", 9), true, 0), guardBusy))
		if refusal != nil {
			runbooktest.WantText(t, "the refusal", refusal.Error(), "a command still runs under the app's lock, which is held by CI job 4711 since", "because: deploying")
		}
		// And it can't be left behind for ever.
		h.want(takeLease("shop", lease("rb-a", 9), true, 2*time.Minute), 0)
	})
}

func TestHostDoc_TheWholeFormGivesBackAfterADeploymentThatDied(t *testing.T) {
	whole, _ := shellForms(t)
	eachShell(t, func(t *testing.T, h shellHost) {
		p := newPipeline(h, whole, `kill -9 $PPID`) // of timeout: the form goes on and gives back
		p.deploys(137)
		seen := lockedError("deploy@one", fieldsOf(h.want(showLease("shop"), 0).stdout))
		if seen.Rollback != "lock:CI job 4711" || seen.Holder != "CI job 4711" || !seen.Until.IsZero() || seen.SinceText() == seen.Since {
			t.Errorf("its lease reads as %+v", seen)
		}
	})
}

func TestHostDoc_TheShortestFormRefuses(t *testing.T) {
	_, shortest := shellForms(t)
	eachShell(t, func(t *testing.T, h shellHost) {
		p := newPipeline(h, shortest, deployed)
		if !p.deploys(0) {
			t.Error("on a host where nobody ever held the lock it does not deploy")
		}
		h.want(takeLease("shop", lease("rb-a", 1), true, 0), 0)
		if p.deploys(1, "holder=UONCALL", "since=", "reason=it's") {
			t.Error("it deployed while a rollback held the lock")
		}
		h.want(releaseLease("shop", lease("rb-a", 1)), 0)
		if !p.deploys(0) {
			t.Error("it does not deploy after a rollback")
		}
		if err := os.WriteFile(filepath.Join(h.home, ".rollbackbot/shop/lease"), []byte("rubbish\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if p.deploys(1) {
			t.Error("it deployed on a damaged lease")
		}
	})
}
