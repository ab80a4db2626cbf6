package compose

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

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
			lines, problem := (&appHost{shell: shellTarget{}, app: runbook.App{Docker: []string{docker}}}).log(t.Context(), "x")
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
	lines, problem := (&appHost{shell: shellTarget{}, app: runbook.App{Docker: []string{docker}}}).log(t.Context(), "x")
	if problem != "" || len(lines) > logBytes || strings.Count(lines, "\n") != logLines-1 || strings.Contains(lines, "hunter") {
		t.Errorf("%d bytes, %q:\n%s", len(lines), problem, lines)
	}
}

// shellTarget runs commands here.
type shellTarget struct{}

func (shellTarget) Run(ctx context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	c := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	out, err := c.Output()
	return c.ProcessState.ExitCode(), out, nil, err
}
