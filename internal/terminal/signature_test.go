package terminal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

var (
	asked = Statement{Verb: "request", Rollback: "rb-abcdefgh", Plan: strings.Repeat("9f", 32)}
	noon  = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
)

// newKey has the real ssh-keygen make a key, and gives its file and its public line.
func newKey(t *testing.T, kind string) (file, public string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command(parts.SSHKeygen(t), "-q", "-t", kind, "-N", "", "-C", "", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return file, strings.TrimSpace(string(text))
}

// sign runs the command that people are told to run.
func sign(t *testing.T, s Statement, file string) string {
	t.Helper()
	return shell(t, s.Command(file))
}

func shell(t *testing.T, command string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, &problems)
	}
	return string(out)
}

func signers(t *testing.T, lines ...string) Signers {
	t.Helper()
	s, err := ParseSigners([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerify_WhatSSHKeygenSigned(t *testing.T) {
	reasoned := Statement{Verb: "signoff_in_place", Rollback: "rb-abcdefgh", Plan: asked.Plan, Reason: "it's  down,\n$HOME 100% `x`"}
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		file, public := newKey(t, kind)
		s := signers(t, "# people", "", "ULEAD,U1* "+public)
		for _, statement := range []Statement{asked, reasoned} {
			if err := s.Verify("ULEAD", statement, sign(t, statement, file), noon); err != nil {
				t.Errorf("%s, %q: %v", kind, statement.Verb, err)
			}
		}
	}
}

func TestVerify_WhatDoesNotCount(t *testing.T) {
	file, public := newKey(t, "ed25519")
	otherFile, other := newKey(t, "ed25519")
	good := sign(t, asked, file)
	changed := func(change func(*Statement)) Statement {
		s := asked
		change(&s)
		return s
	}
	foreign := shell(t, strings.Replace(asked.Command(file), "-n rollbackbot", "-n file", 1))
	for name, c := range map[string]struct {
		line, person, signature, why string
		statement                    Statement
	}{
		"nothing":           {"ULEAD " + public, "ULEAD", "", "can't be read", asked},
		"half":              {"ULEAD " + public, "ULEAD", good[:len(good)/2], "can't be read", asked},
		"another plan":      {"ULEAD " + public, "ULEAD", good, "over another text", changed(func(s *Statement) { s.Plan = strings.Repeat("0", 64) })},
		"another rollback":  {"ULEAD " + public, "ULEAD", good, "over another text", changed(func(s *Statement) { s.Rollback = "rb-other222" })},
		"another answer":    {"ULEAD " + public, "ULEAD", good, "over another text", changed(func(s *Statement) { s.Verb = "abort" })},
		"a reason added":    {"ULEAD " + public, "ULEAD", good, "over another text", changed(func(s *Statement) { s.Reason = "because" })},
		"another namespace": {"ULEAD " + public, "ULEAD", foreign, `namespace "file"`, asked},
		"an unknown key":    {"ULEAD " + public, "ULEAD", sign(t, asked, otherFile), "is not in ROLLBACK_SIGNERS", asked},
		"another's key":     {"ULEAD " + other + "\nUOTHER " + public, "ULEAD", good, "not one of ULEAD's", asked},
		"a negated person":  {"U*,!ULEAD " + public, "ULEAD", good, "not one of ULEAD's", asked},
		"an expired key":    {`ULEAD valid-before="20260504115959Z" ` + public, "ULEAD", good, "expired at 2026-05-04 11:59:59", asked},
		"a key too early":   {`ULEAD valid-after="20260505Z" ` + public, "ULEAD", good, "valid only from 2026-05-05", asked},
		"a key for git":     {`ULEAD namespaces="git,file" ` + public, "ULEAD", good, "namespaces don't have", asked},
	} {
		err := signers(t, c.line).Verify(c.person, c.statement, c.signature, noon)
		var no *runbook.RefusedError
		if !errors.As(err, &no) || !strings.Contains(no.Why, c.why) {
			t.Errorf("%s: %v, want a refusal with %q", name, err, c.why)
		}
	}
	within := signers(t, `"ULEAD" namespaces="git,roll*",valid-after="20260504",valid-before="202605050000Z" `+public+" a comment")
	if err := within.Verify("ULEAD", asked, good, noon.Add(6*time.Hour)); err != nil {
		t.Errorf("within its bounds: %v", err)
	}
}

// What ssh-keygen itself says of a file and a signature is what is said here, and it takes what the library signs.
func TestVerify_AsSSHKeygenDoes(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	made, err := sshsig.Sign(strings.NewReader(asked.Text()), signer, sshsig.HashSHA512, Namespace)
	if err != nil {
		t.Fatal(err)
	}
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	armored := string(sshsig.Armor(made))
	for _, prefix := range []string{
		"ULEAD", "U*", "UL?AD", "ulead", "U*,!ULEAD", "!U*", "UOTHER,ULEAD", `"UOTHER,ULEAD"`, "U*D*", "*A*",
		`ULEAD namespaces="rollbackbot"`, `ULEAD namespaces="git"`, `ULEAD namespaces="git,roll*"`, `ULEAD Namespaces="rollbackbot"`,
		`ULEAD valid-after="20200101"`, `ULEAD valid-after="20990101"`, `ULEAD valid-before="20200101"`, `ULEAD valid-before="209901010000"`,
		`ULEAD valid-after="20990101",valid-before="20200101"`, `ULEAD valid-before="soon"`, `ULEAD no-such-option`,
		`ULEAD namespaces="rollbackbot",namespaces="rollbackbot"`,
	} {
		line := prefix + " " + public
		folder := t.TempDir()
		write := func(name, text string) string {
			file := filepath.Join(folder, name)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		}
		cmd := exec.Command(parts.SSHKeygen(t), "-Y", "verify", "-f", write("signers", line+"\n"), "-I", "ULEAD", "-n", Namespace, "-s", write("sig", armored))
		cmd.Stdin = strings.NewReader(asked.Text())
		out, theirs := cmd.CombinedOutput()
		s, ours := ParseSigners([]byte(line))
		if ours == nil {
			ours = s.Verify("ULEAD", asked, armored, time.Now())
		}
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%s: here %v; ssh-keygen %v: %s", prefix, ours, theirs, out)
		}
	}
}
