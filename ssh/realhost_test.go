package ssh

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
)

func realTarget(t *testing.T, host *realhost.SSHD, knownHosts string) target {
	t.Helper()
	pool := newPool(t, Config{DialTimeout: patience, KeyFile: host.KeyFile(), KnownHosts: knownHosts})
	return on(pool, runbook.Host(host.Target()))
}

// Debian's sshd has three host keys; known_hosts may have any of them, plain, hashed, or their authority alone.
func TestRealSSHD_KnownByAnyOfItsKeys(t *testing.T) {
	host := realhost.StartSSHD(t)
	files := map[string]string{
		"all":       host.KnownHosts(t),
		"hashed":    host.KnownHostsHashed(t, ssh.KeyAlgoRSA),
		"authority": host.KnownHostsAuthority(t),
	}
	for _, algorithm := range realhost.Algorithms() {
		files[algorithm] = host.KnownHosts(t, algorithm)
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			result := run(t, realTarget(t, host, file), script("id -un; pwd"))
			if got, want := string(result.Stdout), host.User()+"\n"+host.Home()+"\n"; got != want {
				t.Errorf("printed %q, want %q", got, want)
			}
		})
	}
}

func TestRealSSHD_WrongHostKeys(t *testing.T) {
	host := realhost.StartSSHD(t, realhost.WithHostKeys(ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256))
	for name, test := range map[string]struct{ file, problem string }{
		"changed":    {host.KnownHostsWrong(t), "the host key has changed: it shows ssh-ed25519 SHA256:"},
		"other type": {host.KnownHostsWrong(t, ssh.KeyAlgoRSA), "it is known under another key type only: it has "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := realTarget(t, host, test.file).Run(t.Context(), script("true"))
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}

func TestRealSSHD_EndsOfCommands(t *testing.T) {
	host := realhost.StartSSHD(t)
	target := realTarget(t, host, host.KnownHosts(t))

	cmd := script(`cat; echo "$A" >&2; exit 3`)
	cmd.Stdin, cmd.Env = []byte("from stdin"), []string{"A=it's \"so\""}
	if got := run(t, target, cmd); got.Status != 3 || string(got.Stdout) != "from stdin" || string(got.Stderr) != "it's \"so\"\n" {
		t.Errorf("got %d, %q, %q", got.Status, got.Stdout, got.Stderr)
	}
	if got := run(t, target, script("kill -TERM $$")); got.Status != 143 {
		t.Errorf("status %d after SIGTERM, want 143", got.Status)
	}
	if got := run(t, target, script("kill -16 $$")); got.Status != 128 {
		t.Errorf("status %d after a signal that SSH has no name for, want 128", got.Status)
	}
	if got := run(t, target, script("head -c 3000000 /dev/zero")); len(got.Stdout) != 3_000_000 {
		t.Errorf("%d bytes of output, want 3,000,000", len(got.Stdout))
	}
	slow := script("sleep 2") // ends by itself: closing its channel does not end it
	slow.Timeout = 100 * time.Millisecond
	_, err := target.Run(t.Context(), slow)
	wantLost(t, err)
}

func TestRealSSHD_EightAtOnceAreNotRefused(t *testing.T) {
	host := realhost.StartSSHD(t)
	target := realTarget(t, host, host.KnownHosts(t))
	errs := make(chan error)
	const commands = 3 * maxSessions
	for range commands {
		go func() {
			_, err := target.Run(context.Background(), script("sleep 0.05"))
			errs <- err
		}()
	}
	for range commands {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestRealSSHD_CutAndBack(t *testing.T) {
	host := realhost.StartSSHD(t)
	target := realTarget(t, host, host.KnownHosts(t))
	folder := strings.TrimSpace(string(run(t, target, script("mktemp -d")).Stdout))
	defer os.RemoveAll(folder)
	ended := make(chan error)
	go func() {
		cmd := script("echo > started; while [ ! -e go ]; do sleep 0.01; done; echo > done")
		cmd.Dir = folder
		_, err := target.Run(context.Background(), cmd)
		ended <- err
	}()
	eventually(t, "the command runs", func() bool { return exists(filepath.Join(folder, "started")) })
	if host.Cut(t) == 0 {
		t.Fatal("there was no connection to cut")
	}
	wantLost(t, <-ended)
	run(t, target, script("true"))
	write(t, filepath.Join(folder, "go"), "")
	eventually(t, "the command ends by itself", func() bool { return exists(filepath.Join(folder, "done")) })

	host.Stop(t)
	_, err := target.Run(t.Context(), script("true"))
	_, port, _ := strings.Cut(host.Addr(), ":")
	wantHostError(t, err, true, "it refuses connections on port "+port, "check that sshd runs there and listens on that port")
	host.Start(t)
	run(t, target, script("true"))
}
