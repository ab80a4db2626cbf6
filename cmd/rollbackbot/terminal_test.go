package main_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/practice"
)

// terminalWorld is a team with a Slack that can be taken away, and keys of their own.
type terminalWorld struct {
	*homeWorld
	keys string // the folder with each person's private key, named by their Slack ID
}

func newTerminalWorld(t *testing.T) *terminalWorld {
	t.Helper()
	w := &terminalWorld{homeWorld: newHomeWorld(t), keys: t.TempDir()}
	var signers bytes.Buffer
	for _, person := range []string{onCall, lead, nobody, "stranger"} {
		file := filepath.Join(w.keys, person)
		if out, err := exec.Command(parts.SSHKeygen(t), "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", file).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		public, err := os.ReadFile(file + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		if person != "stranger" {
			signers.WriteString(person + ` namespaces="rollbackbot" ` + string(public))
		}
	}
	file := filepath.Join(w.keys, "allowed_signers")
	if err := os.WriteFile(file, signers.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"ROLLBACK_SIGNERS": file, "ROLLBACK_LEADS": lead, "ROLLBACK_GITHUB_TOKEN": "", "ROLLBACK_GITHUB_URL": "", "ROLLBACK_APP_SHOP_REPOSITORY": "",
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir()} {
		w.env[name] = value
	}
	return w
}

// away takes Slack away: every call is cut off, and so are the sockets.
func (w *terminalWorld) away() {
	w.slack.Fault(func(localslack.Call) *localslack.Fault { return &localslack.Fault{Reset: true} })
	w.slack.DropSockets()
}

func (w *terminalWorld) back() { w.slack.Fault(nil) }

// terminal is a command that runs while somebody looks on and types.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser

	mu  sync.Mutex
	out bytes.Buffer
}

func (c *terminal) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *terminal) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

func (w *terminalWorld) opensTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	c := &terminal{t: t, cmd: w.command(context.Background(), args...)}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	c.cmd.Stdout, c.cmd.Stderr = c, c
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

// shows waits until the terminal has shown something, and gives its first match.
func (c *terminal) shows(pattern string) string {
	c.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if found := re.FindStringSubmatch(c.text()); found != nil {
			return found[len(found)-1]
		}
	}
	c.t.Fatalf("the terminal never shows %s:\n%s", pattern, c.text())
	return ""
}

// ends waits for the command's end and gives its status.
func (c *terminal) ends() int {
	c.t.Helper()
	_ = c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode()
}

// signs runs the command that a terminal has shown, with a person's key, and gives the signature.
func (w *terminalWorld) signs(t *testing.T, person, command string) string {
	t.Helper()
	command = strings.ReplaceAll(command, "~/.ssh/id_ed25519", filepath.Join(w.keys, person))
	out, err := exec.Command("bash", "-c", command).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return string(out)
}

func (c *terminal) pastes(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, text); err != nil {
		c.t.Fatal(err)
	}
}

// oneOfEach waits for the record and fails the test unless there is one conversation and one record, of the rollback.
func (w *terminalWorld) oneOfEach(t *testing.T, rollback string) localslack.Message {
	t.Helper()
	record := w.record(t, 1)
	_, payloads := requests(w.slack.Snapshot())
	if len(payloads) != 1 || payloads[0].Rollback != rollback || len(ofKind(w.slack.Snapshot(), "rollback_record")) != 1 {
		t.Errorf("there are %v, want one request and one record of %s\n%s", payloads, rollback, w.transcript())
	}
	return record
}

// signLine finds the command that signs an answer in what a terminal shows.
func signLine(answer string) string { return `(?m)^` + answer + `:\n  (printf .*)$` }

// TestRun_SlackIsDown: with Slack away and no bot running, a terminal asks, is closed, and is opened again; a lead's and the
// requester's signatures carry the rollback to its end. Slack comes back: there are one conversation and one record.
func TestRun_SlackIsDown(t *testing.T) {
	t.Parallel()
	w := newTerminalWorld(t)
	w.deploys(t, practice.V1, "none")
	w.deploys(t, practice.V2, "yes")
	w.away()
	first := w.opensTerminal(t, "run", "shop", "--as", onCall, "to", practice.V1, "migration", "yes", "because", "checkout", "answers", "503")
	plan := first.shows(`(?m)^Plan ([0-9a-f]{64})$`)
	rollback := first.shows(`this asks for rollback (rb-[a-z0-9]+)`)
	first.pastes(w.signs(t, onCall, first.shows(`(?m)^  (printf .*)$`)))
	first.shows(`waiting for an engineering lead`)
	_ = first.cmd.Process.Kill() // somebody closes the laptop
	first.ends()

	second := w.opensTerminal(t, "run", "shop", "--as", onCall, "--sign-with", filepath.Join(w.keys, onCall))
	second.shows(`goes on with it`)
	second.pastes(w.signs(t, nobody, second.shows(signLine("signoff_in_place"))))
	second.shows(`Only an engineering lead can decide this`)
	second.pastes(w.signs(t, lead, second.shows(signLine("signoff_in_place"))))
	second.shows(`waiting for an answer until .*error rate`)
	second.pastes("error_rate_baseline\n")
	if status := second.ends(); status != 0 {
		t.Fatalf("run ended with %d:\n%s", status, second.text())
	}
	second.shows(`The record is not in Slack yet`)
	if running := w.host.Running(); len(running["api"]) != 1 || running["api"][0] != w.host.Images(practice.V1)["api"] {
		t.Errorf("the api runs %v", running["api"])
	}

	w.back()
	bot := w.serve(t, nil)
	record := parseRecord(t, w.oneOfEach(t, rollback))
	if record.Outcome != "succeeded" || record.RequestedBy != onCall || record.SignedOffBy != lead || record.Plan != plan {
		t.Errorf("the record says %+v, want it signed by %s, with the plan %s", record, lead, plan)
	}
	w.mustRun(t, "audit", "verify")
	bot.stop(t)
}

// TestSignoff_SlackGoesInTheMiddle: a rollback that was asked for in Slack goes on in terminals, beside the bot that carries
// it, once Slack is away. The plan that a terminal would sign is the one that Slack showed.
func TestSignoff_SlackGoesInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newTerminalWorld(t)
	w.deploys(t, practice.V1, "none")
	w.deploys(t, practice.V2, "yes")
	bot := w.serve(t, nil)
	w.connected(t)
	looks := w.opensTerminal(t, "run", "shop", "--as", onCall, "to", practice.V1)
	plan := looks.shows(`(?m)^Plan ([0-9a-f]{64})$`)
	_ = looks.cmd.Process.Signal(os.Interrupt) // nobody has signed anything
	if status := looks.ends(); status != 1 {
		t.Errorf("a terminal that is left ended with %d:\n%s", status, looks.text())
	}
	w.types(t, onCall, "/rollback shop to "+practice.V1+" because checkout answers 503")
	_, asked := w.request(t, 1)
	if asked.Plan != plan {
		t.Errorf("in Slack the plan is %s, in a terminal %s", asked.Plan, plan)
	}
	w.away()
	w.refusesSignatures(t, asked)

	signed := w.opensTerminal(t, "signoff", asked.Rollback, "--as", lead, "--answer", "signoff_in_place", "--signature", filepath.Join(w.keys, "lead.sig"))
	signature := w.signs(t, lead, signed.shows(`(?m)^  (printf .*)$`))
	if err := os.WriteFile(filepath.Join(w.keys, "lead.sig"), []byte(signature), 0o600); err != nil {
		t.Fatal(err)
	}
	if status := signed.ends(); status != 0 {
		t.Fatalf("signoff ended with %d:\n%s", status, signed.text())
	}
	watches := w.opensTerminal(t, "run", "shop", "--as", onCall, "--sign-with", filepath.Join(w.keys, onCall))
	watches.shows(`waiting for an answer until .*error rate`)
	watches.pastes("error_rate_baseline\n")
	if status := watches.ends(); status != 0 {
		t.Fatalf("run ended with %d:\n%s", status, watches.text())
	}
	w.back()
	if record := parseRecord(t, w.oneOfEach(t, asked.Rollback)); record.Outcome != "succeeded" || record.SignedOffBy != lead {
		t.Errorf("the record says %+v", record)
	}
	bot.stop(t)
}

// refusesSignatures gives signatures that don't count: each is refused with its reason, which is journalled.
func (w *terminalWorld) refusesSignatures(t *testing.T, asked requestPayload) {
	t.Helper()
	shown := w.opensTerminal(t, "signoff", asked.Rollback, "--as", lead, "--answer", "signoff_in_place")
	right := shown.shows(`(?m)^  (printf .*)$`)
	_ = shown.cmd.Process.Kill()
	for _, c := range []struct{ as, key, command, why string }{
		{lead, "stranger", right, "is not in ROLLBACK_SIGNERS"},
		{lead, onCall, right, "is not one of " + lead + "'s"},
		{lead, lead, strings.Replace(right, asked.Plan, strings.Repeat("0", 64), 1), "another plan, another rollback, or another answer"},
		{lead, lead, strings.Replace(right, "signoff_in_place", "signoff_none", 1), "another plan, another rollback, or another answer"},
		{lead, lead, strings.Replace(right, "-n rollbackbot", "-n file", 1), `the namespace "file"`},
		{onCall, onCall, right, "Only an engineering lead can decide this"},
	} {
		file := filepath.Join(t.TempDir(), "signature")
		if err := os.WriteFile(file, []byte(w.signs(t, c.key, c.command)), 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, why := w.run(t, "signoff", asked.Rollback, "--as", c.as, "--answer", "signoff_in_place", "--signature", file)
		if status != 1 || !strings.Contains(why, c.why) {
			t.Errorf("signed by %s as %s: status %d, %q, want %q\n%s", c.key, c.as, status, why, c.why, out)
		}
		if journal := w.mustRun(t, "audit", "export"); !strings.Contains(journal, strings.ReplaceAll(c.why, `"`, `\"`)) {
			t.Errorf("%q is not in the journal", c.why)
		}
	}
}
