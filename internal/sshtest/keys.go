package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// NewKey makes a key pair of a type: ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256 or ssh.KeyAlgoRSA (2048 bits).
func NewKey(keyType string) (ssh.Signer, error) {
	private, err := newPrivateKey(keyType)
	if err != nil {
		return nil, fmt.Errorf("make a key of type %s: %w", keyType, err)
	}
	return ssh.NewSignerFromSigner(private)
}

func newPrivateKey(keyType string) (crypto.Signer, error) {
	switch keyType {
	case ssh.KeyAlgoED25519:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case ssh.KeyAlgoECDSA256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ssh.KeyAlgoRSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, errors.New("only Ed25519, ECDSA P-256 and RSA can be made")
}

// clientKey gives the public part of the client key of a folder and the path of its private part, which it makes
// when there is none.
func clientKey(dir string) (path string, public ssh.PublicKey, err error) {
	path = filepath.Join(dir, "id_ed25519")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = writeClientKey(path)
	}
	if err != nil {
		return "", nil, err
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", path, err)
	}
	return path, signer.PublicKey(), nil
}

func writeClientKey(path string) ([]byte, error) {
	private, err := newPrivateKey(ssh.KeyAlgoED25519)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "rollbackbot")
	if err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(block)
	return data, os.WriteFile(path, data, 0o600)
}

// writeKnownHosts adds to the folder's known_hosts what it is to say about addr.
func writeKnownHosts(dir, addr string, known Known, hostKeys []ssh.Signer) (path string, err error) {
	keys, err := known.keys(hostKeys)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, key := range keys {
		lines.WriteString(knownHostsLine(addr, key))
	}
	path = filepath.Join(dir, "known_hosts")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(lines.String())
	return path, errors.Join(err, file.Close())
}

// knownHostsLine is a certificate's authority as such, and any other key as it is.
func knownHostsLine(addr string, key ssh.PublicKey) string {
	if cert, ok := key.(*ssh.Certificate); ok {
		return "@cert-authority " + knownhosts.Line([]string{addr}, cert.SignatureKey) + "\n"
	}
	return knownhosts.Line([]string{addr}, key) + "\n"
}

func (k Known) keys(hostKeys []ssh.Signer) ([]ssh.PublicKey, error) {
	switch k {
	case KnownLast:
		return publicKeys(hostKeys[len(hostKeys)-1:]), nil
	case KnownChanged:
		return strangerKey(hostKeys[0].PublicKey().Type())
	case KnownOther:
		return strangerKey(otherType(hostKeys))
	case KnownNone:
		return nil, nil
	}
	return publicKeys(hostKeys), nil
}

func publicKeys(signers []ssh.Signer) []ssh.PublicKey {
	keys := make([]ssh.PublicKey, len(signers))
	for i, signer := range signers {
		keys[i] = signer.PublicKey()
	}
	return keys
}

// strangerKey is a key that nobody here has the private part of.
func strangerKey(keyType string) ([]ssh.PublicKey, error) {
	stranger, err := NewKey(keyType)
	if err != nil {
		return nil, err
	}
	return []ssh.PublicKey{stranger.PublicKey()}, nil
}

// otherType is a key type that none of the keys has.
func otherType(hostKeys []ssh.Signer) string {
	has := make(map[string]bool)
	for _, key := range hostKeys {
		has[key.PublicKey().Type()] = true
	}
	for _, keyType := range []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519} {
		if !has[keyType] {
			return keyType
		}
	}
	return ssh.KeyAlgoRSA
}
