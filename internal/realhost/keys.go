package realhost

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Algorithms are the host key algorithms of an SSHD, as known_hosts names them: the three that Debian's
// openssh-server makes at its installation.
func Algorithms() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSA}
}

// key is a key pair: the private half for a file, the public half for lines in other files.
type key struct {
	private crypto.PrivateKey
	signer  ssh.Signer
}

// newKey makes a key for one of Algorithms.
func newKey(tb testing.TB, algorithm string) key {
	tb.Helper()
	private, err := generate(algorithm)
	if err != nil {
		tb.Fatalf("make a key: %v", err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		tb.Fatalf("make a key: %v", err)
	}
	return key{private, signer}
}

func generate(algorithm string) (crypto.PrivateKey, error) {
	switch algorithm {
	case ssh.KeyAlgoRSA:
		return rsa.GenerateKey(rand.Reader, 2048) // the least that Debian's sshd is comfortable with; more takes seconds
	case ssh.KeyAlgoECDSA256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
}

// public is the public half as in authorized_keys.
func (k key) public() []byte { return ssh.MarshalAuthorizedKey(k.signer.PublicKey()) }

// write writes the private half in OpenSSH's own format, readable by its owner only: sshd and ssh refuse others.
func (k key) write(tb testing.TB, path string) {
	tb.Helper()
	block, err := ssh.MarshalPrivateKey(k.private, "")
	if err != nil {
		tb.Fatalf("write %s: %v", path, err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// certify is a certificate for a host key, signed by a certificate authority of hosts.
func certify(tb testing.TB, authority, host key) *ssh.Certificate {
	tb.Helper()
	certificate := &ssh.Certificate{
		Key:             host.signer.PublicKey(),
		CertType:        ssh.HostCert,
		KeyId:           "rollbackbot test host",
		ValidPrincipals: []string{"127.0.0.1", "localhost"},
		ValidBefore:     ssh.CertTimeInfinity,
	}
	if err := certificate.SignCert(rand.Reader, authority.signer); err != nil {
		tb.Fatalf("sign the host certificate: %v", err)
	}
	return certificate
}
