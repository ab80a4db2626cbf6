package runbook

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// The failed containers' last lines are in the journal, masked, before the first of them is replaced.
func TestLogs_AreReadBeforeTheContainersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		rb := w.run(goingWell)
		events := w.events()
		read := indexOf(events, "logs_read")
		replaced := slices.IndexFunc(events, func(e Event) bool {
			started, ok := e.Fact.(CommandStarted)
			return ok && started.Step == StepDeploy
		})
		if read < 0 || replaced < read || len(rb.Logs) != 2 {
			t.Fatalf("read at %d, replaced at %d; %d hosts", read, replaced, len(rb.Logs))
		}
		logs := events[read].Fact.(LogsRead)
		if len(logs.Services) != 3 || !strings.Contains(logs.Services[0].Lines, hashOf(w.v2["api"].String())[:12]) || strings.Contains(logs.Services[0].Lines, "hunter2") {
			t.Errorf("read %+v", logs)
		}
		text, err := Postmortem(events, rb.ID, Reader{})
		if err != nil || !strings.Contains(text, "panic: TOKEN=<secret>") {
			t.Errorf("the postmortem lacks them: %v\n%s", err, text)
		}
	})
}

func indexOf(events []Event, kind string) int {
	return slices.IndexFunc(events, func(e Event) bool { return e.Fact.Kind() == kind })
}

// A host that gives no logs costs a line, and no moment of the rollback.
func TestLogs_ThatCanNotBeReadCostALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hosts["deploy@one"].logsHang = true
		rb := w.run(goingWell)
		events := w.events()
		read := indexOf(events, "logs_read")
		if rb.Outcome != Succeeded || read < 0 {
			t.Fatalf("outcome %s; read at %d", rb.Outcome, read)
		}
		if logs := events[read].Fact.(LogsRead); logs.Problem != "the containers were being replaced before their logs were read" || logs.Services != nil {
			t.Errorf("read %+v", logs)
		}
		if events[read].At.Sub(rb.Request.At) > logsTimeout+rb.Plan.Hosts[0].Prove.Timeout+DefaultTimeout {
			t.Errorf("it took until %s", events[read].At)
		}
	})
}

// The command as a real shell runs it, with a docker of the test's own.
func TestLogs_TheCommand(t *testing.T) {
	for name, c := range map[string]struct{ docker, lines, problem string }{
		"both outputs, as they came":  {`echo one; echo "two PASSWORD=hunter2" >&2; echo three`, "one\ntwo PASSWORD=<secret>\nthree", ""},
		"it fails":                    {`echo "Error: No such container: x" >&2; exit 1`, "", "its logs could not be read: status 1, Error: No such container: x"},
		"no line at all":              {``, "", ""},
		"colours, bells, rubbish":     {`printf '\033[31mred\033[0m\a\000 \377\r\n'`, "red ?", ""},
		"a key without its beginning": {`echo MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj; echo ok`, "<secret>\nok", ""},
	} {
		t.Run(name, func(t *testing.T) {
			docker := filepath.Join(t.TempDir(), "docker")
			if err := os.WriteFile(docker, []byte("#!/bin/sh\n"+c.docker+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			lines, problem := logOf(t.Context(), shellTarget{}, App{Docker: []string{docker}}, "x")
			if lines != c.lines || problem != c.problem {
				t.Errorf("got %q, %q; want %q, %q", lines, problem, c.lines, c.problem)
			}
		})
	}
}

// However much a container prints, little of it is kept, and never half a line.
func TestLogs_AreBounded(t *testing.T) {
	docker := filepath.Join(t.TempDir(), "docker")
	script := "#!/bin/sh\ni=0; while [ $i -lt 3000 ]; do echo \"PASSWORD=hunter$i is long enough to be cut somewhere\"; i=$((i+1)); done\n"
	if err := os.WriteFile(docker, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	lines, problem := logOf(t.Context(), shellTarget{}, App{Docker: []string{docker}}, "x")
	if problem != "" || len(lines) > logBytes || strings.Count(lines, "\n") != logLines-1 || strings.Contains(lines, "hunter") {
		t.Errorf("%d bytes, %q:\n%s", len(lines), problem, lines)
	}
}

// shellTarget runs commands here.
type shellTarget struct{}

func (shellTarget) Run(ctx context.Context, cmd Command) (Result, error) {
	c := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	out, err := c.Output()
	return Result{Status: c.ProcessState.ExitCode(), Stdout: out}, err
}
