package sshtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, options Options) *Server {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	s, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func clientConfig(t *testing.T, s *Server) *ssh.ClientConfig {
	t.Helper()
	data, err := os.ReadFile(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	check, err := knownhosts.New(s.KnownHostsFile)
	if err != nil {
		t.Fatal(err)
	}
	return &ssh.ClientConfig{User: s.User(), Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: check}
}

func connect(t *testing.T, s *Server) *ssh.Client {
	t.Helper()
	client, err := ssh.Dial("tcp", s.Addr(), clientConfig(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func session(t *testing.T, client *ssh.Client) *ssh.Session {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// patience is far above what anything takes here: a machine that is slow must fail no test.
const patience = 5 * time.Minute

// eventually waits for what another process does, which gives no other sign.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func runs(pid int) bool { return syscall.Kill(pid, 0) == nil }

// pidIn waits for the pid that a command writes into a file.
func pidIn(t *testing.T, file string) int {
	t.Helper()
	var pid int
	eventually(t, "a pid in "+file, func() bool {
		data, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		return pid > 0 && bytes.HasSuffix(data, []byte("\n"))
	})
	return pid
}

func TestServer_RunsLinesByTheShell(t *testing.T) {
	home := t.TempDir()
	s := start(t, Options{Home: home, Env: []string{"GREETING=good night"}})
	sess := session(t, connect(t, s))
	sess.Stdin = strings.NewReader("from stdin")
	var stdout, stderr bytes.Buffer
	sess.Stdout, sess.Stderr = &stdout, &stderr

	err := sess.Run(`echo "$HOME|$PATH|$SHELL|$USER|$GREETING"; pwd; cat; echo trouble >&2; exit 3`)

	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 3 {
		t.Errorf("ended with %v, want status 3", err)
	}
	want := home + "|" + DefaultPath + "|/bin/sh|deploy|good night\n" + home + "\nfrom stdin"
	if stdout.String() != want {
		t.Errorf("stdout is %q, want %q", stdout.String(), want)
	}
	if stderr.String() != "trouble\n" {
		t.Errorf("stderr is %q", stderr.String())
	}
	if got := s.Lines(); len(got) != 1 || !strings.HasPrefix(got[0], "echo ") {
		t.Errorf("the lines are %q", got)
	}
}

func TestServer_ReportsSignals(t *testing.T) {
	client := connect(t, start(t, Options{}))
	for signal, want := range map[string]int{"TERM": 128 + 15, "KILL": 128 + 9} {
		var exit *ssh.ExitError
		err := session(t, client).Run("kill -" + signal + " $$")
		if !errors.As(err, &exit) || exit.Signal() != signal || exit.ExitStatus() != want {
			t.Errorf("%s: ended with %v", signal, err)
		}
	}
}

func TestServer_WhatRunsOutlivesTheConnection(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Options{Home: dir})
	sess := session(t, connect(t, s))
	if err := sess.Start("echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; echo done > done"); err != nil {
		t.Fatal(err)
	}
	pidIn(t, filepath.Join(dir, "pid"))
	s.Cut()
	if err := sess.Wait(); err == nil {
		t.Error("the session did not notice the cut")
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command ends by itself", func() bool { return exists(filepath.Join(dir, "done")) })
}

func TestServer_ClosingAChannelEndsNothing(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Options{Home: dir, KillAll: true})
	client := connect(t, s)
	sess := session(t, client)
	if err := sess.Start("echo $$ > pid; exec sleep 60"); err != nil {
		t.Fatal(err)
	}
	pid := pidIn(t, filepath.Join(dir, "pid"))
	sess.Close()
	if out, err := session(t, client).Output("echo still here"); err != nil || string(out) != "still here\n" {
		t.Errorf("another session gave %q, %v", out, err)
	}
	if !runs(pid) {
		t.Error("the command ended with its channel")
	}
}

func TestServer_CloseKillsWhatItStarted(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Options{Home: dir, KillAll: true})
	sess := session(t, connect(t, s))
	// A child in the background, whose parent has ended, and one in the foreground.
	if err := sess.Start("(sleep 3600 & echo $! > child); echo $$ > parent; exec sleep 3600"); err != nil {
		t.Fatal(err)
	}
	child, parent := pidIn(t, filepath.Join(dir, "child")), pidIn(t, filepath.Join(dir, "parent"))
	s.Close()
	eventually(t, "both ended", func() bool { return gone(child) && gone(parent) })
}

// gone reports whether a process has ended; an orphan that nobody reaps counts.
func gone(pid int) bool {
	if !runs(pid) {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestServer_ExitStatusBeforeTheOutputEnds(t *testing.T) {
	dir := t.TempDir()
	client := connect(t, start(t, Options{Home: dir, KillAll: true}))
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	line := "{ while [ ! -e go ]; do sleep 0.01; done; echo late; } & exit 4"
	if ok, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{line})); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if request := <-requests; request == nil || request.Type != "exit-status" {
		t.Errorf("got %+v, want an exit status while a child holds the output", request)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(channel); err != nil || string(out) != "late\n" {
		t.Errorf("the output is %q, %v", out, err)
	}
}

func TestServer_TakesOnlyItsKeyAndUser(t *testing.T) {
	s := start(t, Options{})
	stranger, err := NewKey(ssh.KeyAlgoED25519)
	if err != nil {
		t.Fatal(err)
	}
	other := clientConfig(t, s)
	other.Auth = []ssh.AuthMethod{ssh.PublicKeys(stranger)}
	root := clientConfig(t, s)
	root.User = "root"
	for name, config := range map[string]*ssh.ClientConfig{"another key": other, "another user": root} {
		if client, err := ssh.Dial("tcp", s.Addr(), config); err == nil {
			client.Close()
			t.Errorf("%s: let in", name)
		}
	}
}

func TestServer_KnownHosts(t *testing.T) {
	first, second := newKeyOf(t, ssh.KeyAlgoECDSA256), newKeyOf(t, ssh.KeyAlgoED25519)
	for name, test := range map[string]struct {
		known Known
		types []string // of the lines, in order
		same  bool     // the server has these keys
	}{
		"all":     {KnownAll, []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519}, true},
		"last":    {KnownLast, []string{ssh.KeyAlgoED25519}, true},
		"changed": {KnownChanged, []string{ssh.KeyAlgoECDSA256}, false},
		"other":   {KnownOther, []string{ssh.KeyAlgoRSA}, false},
		"none":    {KnownNone, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Options{HostKeys: []ssh.Signer{first, second}, Known: test.known})
			data, err := os.ReadFile(s.KnownHostsFile)
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for line := range strings.Lines(string(data)) {
				types = append(types, strings.Fields(line)[1])
				has := strings.Contains(knownhosts.Line([]string{s.Addr()}, first.PublicKey())+
					knownhosts.Line([]string{s.Addr()}, second.PublicKey()), strings.TrimSpace(line))
				if has != test.same {
					t.Errorf("the server has the key of %q: %v, want %v", line, has, test.same)
				}
			}
			if strings.Join(types, " ") != strings.Join(test.types, " ") {
				t.Errorf("the types are %q, want %q", types, test.types)
			}
		})
	}
}

func newKeyOf(t *testing.T, keyType string) ssh.Signer {
	t.Helper()
	key, err := NewKey(keyType)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestServer_MaxSessions(t *testing.T) {
	client := connect(t, start(t, Options{MaxSessions: 1, KillAll: true}))
	if err := session(t, client).Start("sleep 60"); err != nil {
		t.Fatal(err)
	}
	_, err := client.NewSession()
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Message != "open failed" {
		t.Errorf("the second session: %v, want sshd's refusal", err)
	}
}

func TestServer_RefuseAndTakeAgain(t *testing.T) {
	s := start(t, Options{})
	if err := s.Refuse(true); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", s.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling gives %v, want refused", err)
	}
	if err := s.Refuse(false); err != nil {
		t.Fatal(err)
	}
	if out, err := session(t, connect(t, s)).Output("echo back"); err != nil || string(out) != "back\n" {
		t.Errorf("afterwards: %q, %v", out, err)
	}
}

func TestServer_GrantsNothingButExec(t *testing.T) {
	sess := session(t, connect(t, start(t, Options{})))
	if err := sess.Setenv("LD_PRELOAD", "x"); err == nil {
		t.Error("took a variable from the client")
	}
	if err := sess.RequestPty("xterm", 24, 80, nil); err == nil {
		t.Error("gave a terminal")
	}
	if err := sess.RequestSubsystem("sftp"); err == nil {
		t.Error("gave a subsystem")
	}
	if out, err := sess.Output("echo yet"); err != nil || string(out) != "yet\n" {
		t.Errorf("exec gives %q, %v", out, err)
	}
}

func TestServer_InABubble(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Dir: dir, Addr: "vps.test:22", Delay: time.Hour, Handler: func(_ context.Context, line string, stdin io.Reader, stdout, stderr io.Writer) int {
			in, _ := io.ReadAll(stdin)
			io.WriteString(stdout, line+" "+string(in))
			io.WriteString(stderr, "err")
			return 7
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		began := time.Now()
		client := connectByPipe(t, s)
		defer client.Close()
		if got := time.Since(began); got != time.Hour {
			t.Errorf("logged in after %s, want the delay of an hour", got)
		}
		sess := session(t, client)
		sess.Stdin = strings.NewReader("input")
		var stdout, stderr bytes.Buffer
		sess.Stdout, sess.Stderr = &stdout, &stderr
		var exit *ssh.ExitError
		if err := sess.Run("docker ps"); !errors.As(err, &exit) || exit.ExitStatus() != 7 {
			t.Errorf("ended with %v, want status 7", err)
		}
		if stdout.String() != "docker ps input" || stderr.String() != "err" {
			t.Errorf("printed %q and %q", stdout.String(), stderr.String())
		}
	})
}

func connectByPipe(t *testing.T, s *Server) *ssh.Client {
	t.Helper()
	conn, err := s.Dial(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	sshConn, channels, requests, err := ssh.NewClientConn(conn, s.Addr(), clientConfig(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return ssh.NewClient(sshConn, channels, requests)
}

func TestServer_FreezeHoldsEverythingUp(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Dir: dir, Handler: func(context.Context, string, io.Reader, io.Writer, io.Writer) int { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		client := connectByPipe(t, s)
		defer client.Close()
		s.Freeze(true)
		time.AfterFunc(time.Hour, func() { s.Freeze(false) })
		began := time.Now()
		if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			t.Errorf("the keepalive: %v", err)
		}
		if got := time.Since(began); got != time.Hour {
			t.Errorf("answered after %s, want when thawed, after an hour", got)
		}
	})
}

func TestNetwork_KnowsItsServers(t *testing.T) {
	dir := t.TempDir()
	network := Network{}
	for _, addr := range []string{"one.test:22", "two.test:2222"} {
		s, err := New(Options{Dir: dir, Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		network[addr] = s
	}
	if one, two := network["one.test:22"], network["two.test:2222"]; one.KeyFile != two.KeyFile {
		t.Error("servers of one folder have two keys")
	}
	conn, err := network.Dial(t.Context(), "tcp", "two.test:2222")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := network["two.test:2222"].Connections(); got != 1 {
		t.Errorf("the second server took %d connections, want 1", got)
	}
	if _, err := network.Dial(t.Context(), "tcp", "three.test:22"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("an unknown one gives %v, want refused", err)
	}
}
