package ssh

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"

	skeema "github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys checks the key of one host for one dial, and remembers what it saw.
type hostKeys struct {
	address    address
	file       string
	db         *skeema.HostKeyDB
	known      []knownhosts.KnownKey // the file's lines about this host
	algorithms []string              // what to offer; empty when the host is not known

	mu    sync.Mutex // the handshake asks from a goroutine of its own
	info  fs.FileInfo
	shown ssh.PublicKey
	err   error
}

func readHostKeys(file string, addr address) (*hostKeys, error) {
	info, _ := os.Stat(file) // before it is read: what is changed meanwhile is read again; where that fails, reading says why
	db, err := readKnownHosts(file)
	if err != nil {
		return nil, err
	}
	h := &hostKeys{address: addr, file: file, db: db, info: info}
	h.known = h.lines()
	// SHA-1 signatures and DSA are not offered although the file may have such a key: OpenSSH dropped them in 8.8 and 7.0.
	secure := ssh.SupportedAlgorithms().HostKeys
	h.algorithms = slices.DeleteFunc(db.HostKeyAlgorithms(addr.dial()), func(algorithm string) bool {
		return !slices.Contains(secure, algorithm)
	})
	return h, nil
}

// readKnownHosts says what is wrong with the file, and what to do.
func readKnownHosts(file string) (*skeema.HostKeyDB, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: write it with ssh-keyscan HOST and compare each fingerprint with the host's own", file)
	}
	if err != nil {
		return nil, fmt.Errorf("known_hosts can't be read: make it readable for this user: %w", err)
	}
	if !hasEntry(data) {
		return nil, fmt.Errorf("%s names no host: fill it with ssh-keyscan HOST and compare each fingerprint with the host's own", file)
	}
	db, err := skeema.NewDB(file)
	if err != nil {
		return nil, fmt.Errorf("%s has a line that can't be read: mend or remove it: %w", file, err)
	}
	return db, nil
}

func hasEntry(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}

// nowhere stands in for the peer's address: names decide, as they do for OpenSSH with CheckHostIP no,
// and behind a jump host there is no other address to be had.
var nowhere = &net.TCPAddr{IP: net.IPv4zero}

// lines are what the file says about the host. The library tells only when it is shown a key that isn't there,
// so it is shown one that nobody has.
func (h *hostKeys) lines() []knownhosts.KnownKey {
	nobodys, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var mismatch *knownhosts.KeyError
	if !errors.As(h.db.HostKeyCallback()(h.address.dial(), nowhere, nobodys), &mismatch) {
		return nil
	}
	return mismatch.Want
}

// check is an ssh.HostKeyCallback.
func (h *hostKeys) check(hostname string, _ net.Addr, key ssh.PublicKey) error {
	err := h.db.HostKeyCallback()(hostname, nowhere, key)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shown, h.err = key, err
	return err
}

// seen is the key that the host has shown, nil before that, and what was found wrong with it.
func (h *hostKeys) seen() (ssh.PublicKey, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shown, h.err
}

// vouched reports whether known_hosts still says that the key which the host has shown is its own: a connection that is
// kept must not outlive that. The file is read again only where it was changed.
func (h *hostKeys) vouched() bool {
	info, err := os.Stat(h.file)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && sameContent(h.info, info) {
		return true
	}
	now, err := readHostKeys(h.file, h.address)
	if err != nil || now.db.HostKeyCallback()(h.address.dial(), nowhere, h.shown) != nil {
		return false
	}
	h.info = now.info
	return true
}

// sameContent reports whether a file was not written or replaced in between.
func sameContent(before, after fs.FileInfo) bool {
	return before != nil && os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()) && before.Size() == after.Size()
}
