package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/rs/zerolog"
	skeema "github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// HostKey is a public key that a host offers as its own. Nobody has vouched for it yet.
type HostKey struct {
	Kind        string // as ssh-keygen -l ends its line: ED25519, ECDSA or RSA
	Fingerprint string // SHA256:…, as ssh-keygen -l and OpenSSH's own question have it
	File        string // where sshd keeps it by default; see sshd_config(5), HostKey
	key         ssh.PublicKey
}

// families are the kinds of host keys in the order in which they are preferred. DSA is none, and RSA is not asked for by
// SHA-1: OpenSSH dropped them in 7.0 and 8.8.
var families = []struct {
	kind, file string
	algorithms []string
}{
	{"ED25519", "/etc/ssh/ssh_host_ed25519_key.pub", []string{ssh.KeyAlgoED25519}},
	{"ECDSA", "/etc/ssh/ssh_host_ecdsa_key.pub", []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}},
	{"RSA", "/etc/ssh/ssh_host_rsa_key.pub", []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}},
}

// Scan asks a host for its keys, of each kind one, the preferred ones first; it logs in nowhere but at a jump host, whose
// key known_hosts has to have. Like ssh-keyscan it connects once for each kind. An error is a *runbook.HostError, or says
// what is wrong with cfg. A host without a key of a kind that is still safe is an error.
func Scan(ctx context.Context, cfg Config, host runbook.Host) ([]HostKey, error) {
	addr, err := parseAddress(string(host))
	if err != nil {
		return nil, err
	}
	pool, err := scanner(cfg)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	client := pool.Client(host)
	var keys []HostKey
	var none error
	for _, family := range families {
		key, err := client.shows(ctx, addr, family.algorithms)
		var negotiation *ssh.AlgorithmNegotiationError
		switch {
		case err == nil:
			keys = append(keys, HostKey{Kind: family.kind, Fingerprint: ssh.FingerprintSHA256(key), File: family.file, key: key})
		case errors.As(err, &negotiation) && negotiation.What == "host key":
			none = err
		default:
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, none
	}
	return keys, nil
}

// scanner is a pool that needs no key of its own and no known_hosts, where there is no jump host.
func scanner(cfg Config) (*Pool, error) {
	if cfg.Jump != "" {
		return New(cfg, zerolog.Nop())
	}
	p := &Pool{config: cfg.withDefaults(), log: zerolog.Nop(), clients: map[runbook.Host]*Client{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// errShown ends a handshake in which the host has shown its key: nobody logs in.
var errShown = errors.New("the key was shown")

// shows is the key that a host shows where these algorithms alone are offered.
func (c *Client) shows(ctx context.Context, addr address, algorithms []string) (ssh.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, c.pool.config.DialTimeout)
	defer cancel()
	conn, err := c.connect(ctx, addr)
	if err != nil {
		return nil, c.connectProblem(ctx, addr, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var shown ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(conn, addr.dial(), &ssh.ClientConfig{
		User: addr.user, HostKeyAlgorithms: algorithms, ClientVersion: "SSH-2.0-rollbackbot",
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = key
			return errShown
		},
	})
	if shown != nil {
		return shown, nil
	}
	return nil, c.handshakeProblem(ctx, &login{address: addr, known: &hostKeys{address: addr}}, err)
}

// Knows reports whether a known_hosts file says anything of a host's keys: then it decides, and nobody is asked. A file that
// isn't there knows nobody.
func Knows(file string, host runbook.Host) (bool, error) {
	addr, err := parseAddress(string(host))
	if err != nil {
		return false, err
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(parseKnownHosts(data)) == 0 {
		return false, nil
	}
	known, err := readHostKeys(file, addr)
	if err != nil {
		return false, err
	}
	return len(known.known) > 0 || len(known.algorithms) > 0, nil
}

// Remember adds a line for a host and a key for which a person vouched to a known_hosts file, as OpenSSH does after a yes.
// What stands in the file stays.
func Remember(file string, host runbook.Host, key HostKey) error {
	addr, err := parseAddress(string(host))
	if err != nil {
		return err
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read known_hosts: %w", err)
	}
	line := skeema.Line([]string{addr.dial()}, key.key) + "\n"
	if len(before) > 0 && !bytes.HasSuffix(before, []byte("\n")) {
		line = "\n" + line
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write known_hosts: %w", err)
	}
	_, err = f.WriteString(line)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write known_hosts: %w", err)
	}
	return nil
}
