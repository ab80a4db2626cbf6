package ssh

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/realhost"
	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

func newHostKeys(t *testing.T, types ...string) []ssh.Signer {
	t.Helper()
	var keys []ssh.Signer
	for _, keyType := range types {
		key, err := sshtest.NewKey(keyType)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func scan(t *testing.T, cfg Config, host runbook.Host) []HostKey {
	t.Helper()
	keys, err := Scan(t.Context(), cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func kinds(keys []HostKey) string {
	var all []string
	for _, key := range keys {
		all = append(all, key.Kind)
	}
	return strings.Join(all, " ")
}

func TestScan_EachKindThePreferredFirst(t *testing.T) {
	keys := newHostKeys(t, ssh.KeyAlgoRSA, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256)
	s := newHost(t, sshtest.Options{Dir: t.TempDir(), HostKeys: keys, Known: sshtest.KnownNone})
	got := scan(t, Config{Dial: s.Dial}, s.Host())
	if kinds(got) != "ED25519 ECDSA RSA" {
		t.Fatalf("got %s", kinds(got))
	}
	for i, want := range []ssh.Signer{keys[1], keys[2], keys[0]} {
		if got[i].Fingerprint != ssh.FingerprintSHA256(want.PublicKey()) {
			t.Errorf("%s is %s, want %s", got[i].Kind, got[i].Fingerprint, ssh.FingerprintSHA256(want.PublicKey()))
		}
	}
	if len(s.Lines()) > 0 {
		t.Errorf("it ran %q", s.Lines())
	}
}

func TestScan_OneKindOnly(t *testing.T) {
	s := newHost(t, sshtest.Options{Dir: t.TempDir(), HostKeys: newHostKeys(t, ssh.KeyAlgoRSA)})
	if got := scan(t, Config{Dial: s.Dial}, s.Host()); kinds(got) != "RSA" {
		t.Errorf("got %s, want RSA", kinds(got))
	}
}

func TestScan_NobodyAnswers(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no such network") }
	_, err := Scan(t.Context(), Config{Dial: refuse}, "deploy@host")
	var said *runbook.HostError
	if !errors.As(err, &said) || !said.Unreachable {
		t.Errorf("got %v, want a host that nobody reaches", err)
	}
}

// The keys behind a jump host are its own, and the jump host's key has to be known.
func TestScan_ThroughAJumpHost(t *testing.T) {
	behind := newHost(t, sshtest.Options{Dir: t.TempDir(), Addr: "behind:22", HostKeys: newHostKeys(t, ssh.KeyAlgoED25519), Known: sshtest.KnownNone})
	jump := newHost(t, sshtest.Options{Dir: t.TempDir(), Addr: "jump:22", Forward: behind.Dial})
	cfg := inMemory(jump)
	cfg.Jump = string(jump.Host())
	got := scan(t, cfg, behind.Host())
	direct := scan(t, Config{Dial: behind.Dial}, behind.Host())
	if kinds(got) != "ED25519" || got[0].Fingerprint != direct[0].Fingerprint {
		t.Errorf("got %+v, want %+v", got, direct)
	}
	cfg.KnownHosts = temp(t, "known_hosts", "other ssh-ed25519 "+strings.Fields(string(ssh.MarshalAuthorizedKey(newHostKeys(t, ssh.KeyAlgoED25519)[0].PublicKey())))[1]+"\n")
	if _, err := Scan(t.Context(), cfg, behind.Host()); err == nil || !strings.Contains(err.Error(), "the jump host deploy@jump:22 can't be used: it is not in") {
		t.Errorf("got %v, want that the jump host isn't known", err)
	}
}

// What is remembered is what OpenSSH would write, by OpenSSH's own search, and beside it nothing changes.
func TestRemember_AsOpenSSHDoes(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is missing")
	}
	key := HostKey{Kind: "ED25519", key: newHostKeys(t, ssh.KeyAlgoED25519)[0].PublicKey()}
	for host, name := range map[runbook.Host]string{
		"deploy@Your-VPS": "your-vps", "deploy@your-vps:2222": "[your-vps]:2222", "deploy@[2001:db8::1]": "2001:db8::1",
		"deploy@[2001:db8::1]:2222": "[2001:db8::1]:2222", "deploy@192.0.2.1": "192.0.2.1",
	} {
		const before = "# ours\n|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-rsa AAAA"
		file := temp(t, "known_hosts", before)
		if err := Remember(file, host, key); err != nil {
			t.Fatal(err)
		}
		content := read(t, file)
		line, kept := strings.CutPrefix(content, before+"\n")
		if !kept || !strings.HasPrefix(line, name+" ssh-ed25519 AAAA") || !strings.HasSuffix(line, "\n") || strings.Count(line, "\n") != 1 {
			t.Errorf("%s: the file is now\n%s", host, content)
		}
		if out, err := exec.Command(keygen, "-F", name, "-f", file).CombinedOutput(); err != nil || !strings.Contains(string(out), "line 3") {
			t.Errorf("%s: ssh-keygen -F %s: %v\n%s", host, name, err, out)
		}
	}
}

// A host that was not known is, once its key was remembered; any other key is refused from then on.
func TestRemember_ThenTheHostIsKnown(t *testing.T) {
	host := realhost.StartSSHD(t)
	file := filepath.Join(t.TempDir(), "known_hosts")
	knows := func(want bool) {
		t.Helper()
		if known, err := Knows(file, runbook.Host(host.Target())); err != nil || known != want {
			t.Errorf("known is %v (%v), want %v", known, err, want)
		}
	}
	knows(false)
	keys := scan(t, Config{}, runbook.Host(host.Target()))
	if kinds(keys) != "ED25519 ECDSA RSA" {
		t.Fatalf("Debian's sshd offers %s", kinds(keys))
	}
	if err := Remember(file, runbook.Host(host.Target()), keys[1]); err != nil {
		t.Fatal(err)
	}
	knows(true)
	run(t, realTarget(t, host, file), script("true"))
	file = host.KnownHostsWrong(t)
	knows(true)
	file = host.KnownHostsAuthority(t)
	knows(true)
	file = host.KnownHostsEmpty(t)
	knows(false)
}

// Fingerprints are those that a person reads on the host.
func TestScan_FingerprintsAreSSHKeygens(t *testing.T) {
	host := realhost.StartSSHD(t)
	_, port, _ := net.SplitHostPort(host.Addr())
	out, err := exec.Command("sh", "-c", "ssh-keyscan -p "+port+" 127.0.0.1 2>/dev/null | ssh-keygen -lf -").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range scan(t, Config{}, runbook.Host(host.Target())) {
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(line string) bool {
			return strings.Contains(line, " "+key.Fingerprint+" ") && strings.HasSuffix(line, "("+key.Kind+")")
		}) {
			t.Errorf("ssh-keygen has no %s %s:\n%s", key.Kind, key.Fingerprint, out)
		}
	}
}
