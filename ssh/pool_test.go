package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"rollbackbot/internal/sshtest"
)

// newKeyFile writes a private key, with a passphrase where one is given.
func newKeyFile(t *testing.T, passphrase string) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return temp(t, "key", string(pem.EncodeToMemory(block)))
}

func fingerprintOf(t *testing.T, keyFile string) string {
	t.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(read(t, keyFile)))
	if err != nil {
		t.Fatal(err)
	}
	return "ssh-ed25519 " + ssh.FingerprintSHA256(signer.PublicKey())
}

// serveAgent is an SSH agent with the keys of some files; it gives its socket.
func serveAgent(t *testing.T, keyFiles ...string) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, file := range keyFiles {
		key, err := ssh.ParseRawPrivateKey([]byte(read(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	// Not t.TempDir: a socket's path may have 107 bytes, and tests have long names.
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = agent.ServeAgent(ring, conn) // ends with io.EOF
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
		os.RemoveAll(dir)
	})
	return socket
}

func TestNew_SaysWhatIsWrong(t *testing.T) {
	server := startHost(t, sshtest.Options{})
	missing := filepath.Join(t.TempDir(), "missing")
	locked, public := newKeyFile(t, "hunter2"), temp(t, "key.pub", "ssh-ed25519 AAAA secret-comment")
	empty, utf16 := temp(t, "known_hosts", "# nobody yet\n\n"), temp(t, "known_hosts", "\xff\xfev\x00p\x00s\x00 \x00")
	emptyAgent := serveAgent(t)
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"no key": {func(c *Config) { c.KeyFile = "" },
			[]string{"no key to log in with: give the path of a private key, or start ssh-agent and ssh-add one"}},
		"missing key": {func(c *Config) { c.KeyFile = missing },
			[]string{"the private key " + missing + " does not exist: give the path of one, or use the agent"}},
		"a passphrase": {func(c *Config) { c.KeyFile = locked },
			[]string{"the private key " + locked + " has a passphrase: add it to the agent with ssh-add and name no key file"}},
		"the public part": {func(c *Config) { c.KeyFile = public },
			[]string{public + " is not a private key that can be used: give the private part, not the .pub file, as ssh-keygen writes it"}},
		"a folder as a key": {func(c *Config) { c.KeyFile = "/" },
			[]string{"the private key can't be read: make it readable for this user: read /: is a directory"}},
		"no agent": {func(c *Config) { c.KeyFile, c.AgentSocket = "", missing },
			[]string{"the SSH agent at " + missing + " does not answer: start ssh-agent and ssh-add the key: dial unix " + missing + ": connect: no such file or directory"}},
		"no keys in the agent": {func(c *Config) { c.KeyFile, c.AgentSocket = "", emptyAgent },
			[]string{"the SSH agent at " + emptyAgent + " holds no key: add one with ssh-add"}},
		"no known_hosts": {func(c *Config) { c.KnownHosts = "" },
			[]string{"no known_hosts file: name one, for host keys are always checked"}},
		"missing known_hosts": {func(c *Config) { c.KnownHosts = missing },
			[]string{missing + " does not exist: write it with ssh-keyscan HOST and compare each fingerprint with the host's own"}},
		"empty known_hosts": {func(c *Config) { c.KnownHosts = empty },
			[]string{empty + " names no host: fill it with ssh-keyscan HOST and compare each fingerprint with the host's own"}},
		"known_hosts of PowerShell": {func(c *Config) { c.KnownHosts = utf16 },
			[]string{utf16 + " is in UTF-16, as PowerShell's > writes it: write it again in UTF-8: iconv -f UTF-16 -t UTF-8"}},
		"jump host": {func(c *Config) { c.Jump = "jump.test" },
			[]string{`the jump host: "jump.test" has no user: write user@host or user@host:port`}},
		"all together": {func(c *Config) { c.KeyFile, c.KnownHosts, c.Jump = missing, empty, "jump.test" },
			[]string{
				"the private key " + missing + " does not exist: give the path of one, or use the agent",
				empty + " names no host: fill it with ssh-keyscan HOST and compare each fingerprint with the host's own",
				`the jump host: "jump.test" has no user: write user@host or user@host:port`,
			}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configOf(server)
			test.change(&cfg)
			pool, err := New(cfg, zerolog.Nop())
			if err == nil {
				pool.Close()
				t.Fatal("made a pool")
			}
			if got, want := err.Error(), strings.Join(test.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestRun_WithTheAgent(t *testing.T) {
	server := startHost(t, sshtest.Options{Handler: answer("ok")})
	cfg := configOf(server)
	cfg.KeyFile, cfg.AgentSocket = "", serveAgent(t, newKeyFile(t, ""), server.KeyFile)
	run(t, on(newPool(t, cfg), server.Host()), script("true"))
}

func TestProblem_AgentKeysRefused(t *testing.T) {
	server := startHost(t, sshtest.Options{})
	first, second := newKeyFile(t, ""), newKeyFile(t, "")
	cfg := configOf(server)
	cfg.KeyFile, cfg.AgentSocket = "", serveAgent(t, first, second)
	wantHostError(t, tryOnce(t, server, cfg), false,
		"it refuses the key of deploy; offered was "+fingerprintOf(t, first)+", "+fingerprintOf(t, second),
		"put the public key into the authorized_keys of deploy on that host, and read sshd's log there if it is in it")
}

func TestProblem_AgentGoneSinceTheStart(t *testing.T) {
	server := startHost(t, sshtest.Options{})
	cfg := configOf(server)
	cfg.KeyFile, cfg.AgentSocket = "", serveAgent(t, server.KeyFile)
	pool := newPool(t, cfg)
	if err := os.Remove(cfg.AgentSocket); err != nil {
		t.Fatal(err)
	}
	_, err := on(pool, server.Host()).Run(t.Context(), script("true"))
	wantHostError(t, err, false, "there is no key to log in with (the SSH agent at "+cfg.AgentSocket+
		" does not answer: start ssh-agent and ssh-add the key: dial unix "+cfg.AgentSocket+": connect: no such file or directory)", "fix the agent")
}

func TestNoSecretGetsOut(t *testing.T) {
	const secret = "hunter2-correct-horse"
	var server *sshtest.Server
	server = startHost(t, sshtest.Options{Handler: answer("ok"), OnExec: func(line string) {
		if strings.Contains(line, "cut") {
			server.Cut()
		}
	}})
	var log safeBuffer
	pool := newPoolLogging(t, configOf(server), &log)
	var said []string
	try := func(ctx context.Context, target target, cmd command) {
		cmd.Stdin, cmd.Env = []byte(secret), []string{"TOKEN=" + secret}
		if _, err := target.Run(ctx, cmd); err != nil {
			said = append(said, err.Error())
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	try(t.Context(), on(pool, server.Host()), command{Args: []string{"fine", secret}})
	try(t.Context(), on(pool, server.Host()), command{Args: []string{"cut", secret}})
	try(over, on(pool, server.Host()), command{Args: []string{"late", secret}})
	try(t.Context(), on(pool, "nobody"), command{Args: []string{"misspelt", secret}})
	try(t.Context(), on(pool, server.Host()), command{Args: []string{"-" + "option", secret}})
	eventually(t, "the loss is logged", func() bool { return strings.Contains(log.String(), "connection lost") })
	pool.Close()
	if len(said) != 4 {
		t.Fatalf("%d commands failed, want 4: %q", len(said), said)
	}
	_, broken := New(Config{KeyFile: temp(t, "key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"+secret), KnownHosts: server.KnownHostsFile}, zerolog.New(&log))
	_, locked := New(Config{KeyFile: newKeyFile(t, secret), KnownHosts: server.KnownHostsFile}, zerolog.New(&log))
	said = append(said, broken.Error(), locked.Error(), log.String())

	key := strings.Split(read(t, server.KeyFile), "\n")[2] // one line of the private part
	for _, text := range said {
		for _, never := range []string{secret, key} {
			if strings.Contains(text, never) {
				t.Errorf("a secret shows in %q", text)
			}
		}
	}
	for _, want := range []string{"connected", `"component":"ssh"`, `"host":"` + string(server.Host()) + `"`, "connection lost", `"program":"fine"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
}
