package ssh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// keys gives the private keys for one log-in.
type keys interface {
	// open gives the keys; done ends their use. It gives up when ctx ends.
	open(ctx context.Context) (shown credentials, done func(), err error)
}

// newKeys reads the key file, or asks the agent once so that a missing key is known at the start.
func newKeys(cfg Config) (keys, error) {
	switch {
	case cfg.KeyFile != "":
		return readKeyFile(cfg.KeyFile)
	case cfg.AgentSocket != "":
		return askAgent(cfg)
	}
	return nil, errors.New("no key to log in with: give the path of a private key, or start ssh-agent and ssh-add one")
}

// fileKey is the one key of a file.
type fileKey struct {
	path   string
	signer ssh.Signer
}

func (k fileKey) open(context.Context) (credentials, func(), error) {
	return withCertificate(k.path, k.signer), func() {}, nil
}

// readKeyFile never lets a parser's error through that might quote the file.
func readKeyFile(path string) (keys, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the private key %s does not exist: give the path of one, or use the agent", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key can't be read: make it readable for this user: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if locked := (*ssh.PassphraseMissingError)(nil); errors.As(err, &locked) {
		return nil, fmt.Errorf("the private key %s has a passphrase: add it to the agent with ssh-add and name no key file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not a private key that can be used: give the private part, not the .pub file, as ssh-keygen writes it", path)
	}
	return fileKey{path, signer}, nil
}

// agentKeys are what ssh-agent holds at the time of a log-in.
type agentKeys struct{ socket string }

func askAgent(cfg Config) (keys, error) {
	ctx, cancel := context.WithTimeout(context.Background(), cfg.DialTimeout)
	defer cancel()
	k := agentKeys{cfg.AgentSocket}
	_, done, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	done()
	return k, nil
}

func (k agentKeys) open(ctx context.Context) (shown credentials, done func(), err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", k.socket)
	if err != nil {
		return credentials{}, nil, fmt.Errorf("the SSH agent at %s does not answer: start ssh-agent and ssh-add the key: %w", k.socket, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	done = func() { stop(); conn.Close() }
	signers, err := agent.NewClient(conn).Signers()
	if err == nil && len(signers) > 0 {
		return usable(signers), done, nil
	}
	done()
	if err != nil {
		return credentials{}, nil, fmt.Errorf("the SSH agent at %s gives no keys: start it again and ssh-add the key: %w", k.socket, err)
	}
	return credentials{}, nil, fmt.Errorf("the SSH agent at %s holds no key: add one with ssh-add", k.socket)
}

// fingerprint names a public key as ssh-keygen -l and the host's log do: a certificate by the key in it.
func fingerprint(key ssh.PublicKey) string {
	if cert := certificateOf(key); cert != nil {
		return cert.Type() + " " + ssh.FingerprintSHA256(cert.Key)
	}
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}

func fingerprints(signers []ssh.Signer) string {
	names := make([]string, len(signers))
	for i, signer := range signers {
		names[i] = fingerprint(signer.PublicKey())
	}
	return strings.Join(names, ", ")
}
