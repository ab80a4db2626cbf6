package ssh

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
)

// keygen runs OpenSSH's ssh-keygen.
func keygen(t *testing.T, words ...string) {
	t.Helper()
	if output, err := exec.Command(parts.SSHKeygen(t), append([]string{"-q"}, words...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %s: %v: %s", strings.Join(words, " "), err, output)
	}
}

// keyIn makes a key in a folder of its own, so that nothing lies beside it.
func keyIn(t *testing.T, kind string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "id")
	keygen(t, "-t", kind, "-N", "", "-C", "", "-f", path)
	return path
}

// copyOf is a key in a folder of its own.
func copyOf(t *testing.T, key string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "id")
	write(t, path, read(t, key))
	return path
}

// publicOf writes the public part beside a key.
func publicOf(t *testing.T, key string) string {
	t.Helper()
	output, err := exec.Command("ssh-keygen", "-y", "-f", key).Output()
	if err != nil {
		t.Fatal(err)
	}
	return write(t, key+".pub", string(output))
}

// sshd and OpenSSH's client are the judges: a certificate opens an account that trusts its authority, and one that doesn't
// leaves the plain key to do so.
func TestRealSSHD_UserCertificates(t *testing.T) {
	authority, stranger := keyIn(t, "ed25519"), keyIn(t, "ecdsa")
	trust := "TrustedUserCAKeys " + authority + ".pub"
	strict, lax := realhost.StartSSHD(t, realhost.WithConfig(trust, "AuthorizedKeysFile none")), realhost.StartSSHD(t, realhost.WithConfig(trust))
	const user = realhost.DefaultUser
	sign := func(words ...string) func(*testing.T, string) {
		return func(t *testing.T, key string) {
			keygen(t, slices.Concat([]string{"-s", authority, "-I", "bot"}, words, []string{publicOf(t, key)})...)
		}
	}
	put := func(text string) func(*testing.T, string) {
		return func(t *testing.T, key string) { write(t, key+"-cert.pub", text) }
	}
	for _, row := range []struct {
		name    string
		make    func(t *testing.T, key string)
		problem string // on a host that knows no plain key; "" for none
		remedy  string
	}{
		{"valid", sign("-n", user, "-V", "-1h:+1h"), "", ""},
		{"for ever, for several", sign("-n", "ops,"+user), "", ""},
		{"none", func(*testing.T, string) {}, "offered was ssh-ed25519 SHA256:", "put the public key into the authorized_keys of " + user},
		{"expired", sign("-n", user, "-V", "20200101:20200102"), `; the certificate "bot" expired at 2020-01-0`, "renew it"},
		{"not yet valid", sign("-n", user, "-V", "20990101:20990102"), `; the certificate "bot" is not valid before 20`, "wait until then"},
		{"for somebody else", sign("-n", "ops,dba"), `; the certificate "bot" is for "ops, dba", not for ` + user, "have one issued for " + user + ": ssh-keygen -s CA -I NAME -n " + user},
		{"for nobody", sign(), `; the certificate "bot" is for "nobody", not for ` + user, "have one issued for " + user},
		{"for hosts", sign("-h", "-n", user), `-cert.pub is one for hosts`, "have one for users issued"},
		{"for another key", func(t *testing.T, key string) {
			other := keyIn(t, "ed25519")
			sign("-n", user)(t, other)
			write(t, key+"-cert.pub", read(t, other+"-cert.pub"))
		}, "-cert.pub is for another key, SHA256:", ".pub signed, and put the result there"},
		{"by another authority", func(t *testing.T, key string) {
			keygen(t, "-s", stranger, "-I", "bot", "-n", user, publicOf(t, key))
		}, "offered was ssh-ed25519-cert-v01@openssh.com SHA256:", "let its sshd trust the authority that signed the certificate, ecdsa-sha2-nistp256 SHA256:"},
		{"forced", sign("-n", user, "-O", "force-command=/bin/false"), "-cert.pub allows a single command of its own", "without force-command"},
		{"from elsewhere", sign("-n", user, "-O", "source-address=192.0.2.1"), "offered was ssh-ed25519-cert-v01@openssh.com SHA256:", "its log says why"},
		{"cut off", func(t *testing.T, key string) {
			sign("-n", user)(t, key)
			whole := read(t, key+"-cert.pub")
			write(t, key+"-cert.pub", whole[:len(whole)/2])
		}, "-cert.pub is none that can be read", "put there what ssh-keygen -s writes"},
		{"a plain key", put("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8v0Zy0m0r0l0b0a0c0k0b0o0t0e0x0a0m0p0l0e0A0"), "-cert.pub is none that can be read", "put there what ssh-keygen -s writes"},
		{"empty", put(""), "-cert.pub is none that can be read", "put there what ssh-keygen -s writes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			key := copyOf(t, strict.KeyFile())
			row.make(t, key)
			if got, want := certificateGetsIn(t, strict, key), row.problem == "" || row.name == "forced"; got != want {
				t.Errorf("ssh gets in by the certificate alone: %v, want %v", got, want)
			}
			pool := newPool(t, Config{DialTimeout: patience, KeyFile: key, KnownHosts: strict.KnownHosts(t)})
			target := on(pool, runbook.Host(strict.Target()))
			_, err := target.Run(t.Context(), patiently("true"))
			said, _ := err.(*runbook.HostError)
			if row.problem == "" && err != nil || row.problem != "" && (said == nil || !strings.Contains(said.Problem, row.problem) || !strings.Contains(said.Remedy, row.remedy)) {
				t.Errorf("got %v, want %q: %q", err, row.problem, row.remedy)
			}
			// The fix: a certificate that is right. It is read again at the next log-in.
			sign("-n", user)(t, key)
			run(t, target, patiently("true"))

			key = copyOf(t, lax.KeyFile())
			row.make(t, key)
			pool = newPool(t, Config{DialTimeout: patience, KeyFile: key, KnownHosts: lax.KnownHosts(t)})
			run(t, on(pool, runbook.Host(lax.Target())), patiently("true"))
			f := pool.Checks(runbook.Host(lax.Target()))[1].Run(t.Context())[0]
			if silent := row.problem == "" || strings.HasPrefix(row.problem, "offered"); silent != (f.Mark == runbook.Fine) || !silent && !strings.Contains(f.Seen, strings.TrimPrefix(row.problem, "; ")) {
				t.Errorf("doctor says %s", f)
			}
		})
	}
}

// certificateGetsIn asks OpenSSH's own client.
func certificateGetsIn(t *testing.T, host *realhost.SSHD, key string) bool {
	t.Helper()
	words := host.Client(t)
	words[slices.Index(words, "-i")+1] = key
	return !strings.Contains(sshSays(words), "Permission denied")
}

func sshSays(words []string) string {
	output, _ := exec.Command(words[0], append(words[1:], "true")...).CombinedOutput()
	return string(output)
}

// The kinds of keys that ssh-keygen makes, from the file and from OpenSSH's own agent.
func TestRealSSHD_CertificatesOfEachKind(t *testing.T) {
	authority := keyIn(t, "ed25519")
	host := realhost.StartSSHD(t, realhost.WithConfig("TrustedUserCAKeys "+authority+".pub", "AuthorizedKeysFile none"))
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		t.Run(kind, func(t *testing.T) {
			key := keyIn(t, kind)
			keygen(t, "-s", authority, "-I", "bot", "-n", host.User(), key+".pub")
			pool := newPool(t, Config{DialTimeout: patience, KeyFile: key, KnownHosts: host.KnownHosts(t)})
			run(t, on(pool, runbook.Host(host.Target())), patiently("true"))

			socket := openSSHAgent(t)
			add := exec.Command("ssh-add", "-q", key)
			add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
			if output, err := add.CombinedOutput(); err != nil {
				t.Fatalf("ssh-add: %v: %s", err, output)
			}
			pool = newPool(t, Config{DialTimeout: patience, AgentSocket: socket, KnownHosts: host.KnownHosts(t)})
			run(t, on(pool, runbook.Host(host.Target())), patiently("true"))
			f := pool.Checks(runbook.Host(host.Target()))[1].Run(t.Context())[0]
			if f.Mark != runbook.Fine || !strings.Contains(f.Seen, "-cert-v01@openssh.com "+fingerprintIn(t, key)) || !strings.Contains(f.Seen, `the certificate "bot" is valid`) {
				t.Errorf("doctor says %s", f)
			}
			f = pool.Checks("ops@" + runbook.Host(host.Addr()))[1].Run(t.Context())[0]
			if f.Mark != runbook.Unchecked || !strings.Contains(f.Seen, `the certificate "bot" is for "`+host.User()+`", not for ops`) {
				t.Errorf("doctor says of another user: %s", f)
			}
		})
	}
}

// fingerprintIn is what ssh-keygen -l says of a key.
func fingerprintIn(t *testing.T, key string) string {
	t.Helper()
	output, err := exec.Command("ssh-keygen", "-l", "-f", key).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(output))[1]
}

// openSSHAgent is OpenSSH's own agent, which ends with the test; it gives its socket.
func openSSHAgent(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // not t.TempDir: a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	process := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := process.Start(); err != nil {
		t.Skipf("ssh-agent: %v", err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		os.RemoveAll(dir)
	})
	eventually(t, "the agent listens", func() bool { return exists(socket) })
	return socket
}

// A certificate that an agent holds for hosts, or that forces a command, is not shown.
func TestUsable_LeavesOutWhatIsNeverShown(t *testing.T) {
	user := certified(t, newSigner(t), "deploy", forever) // a host's
	plain := newSigner(t)
	got := usable([]ssh.Signer{user, plain})
	if len(got.signers) != 1 || got.signers[0] != plain || len(got.useless) != 1 || !strings.HasSuffix(got.useless[0].what, " is one for hosts") {
		t.Errorf("shown are %d, useless %+v", len(got.signers), got.useless)
	}
}
