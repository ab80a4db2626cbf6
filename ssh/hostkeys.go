package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
)

// hostKeys checks the key of one host for one dial, and remembers what it saw.
type hostKeys struct {
	address    address
	file       string
	known      knownHosts // the file's lines about this host: its keys, and authorities for it
	revoked    knownHosts // every key that the file revokes
	algorithms []string   // what to offer; empty when the host is not known

	mu    sync.Mutex // the handshake asks from a goroutine of its own
	info  fs.FileInfo
	shown ssh.PublicKey
	err   error
}

// readHostKeys reads the file for one host. A line that can't be read is an error where it is about this host: what it was
// meant to say is not known, unless it plainly is one more of its keys. So is one that revokes a key, whose ever: which key it
// was meant to keep out is not known either.
func readHostKeys(file string, addr address) (*hostKeys, error) {
	info, _ := os.Stat(file) // before it is read: what is changed meanwhile is read again; where that fails, reading says why
	lines, err := readKnownHosts(file)
	if err != nil {
		return nil, err
	}
	h := &hostKeys{address: addr, file: file, info: info, revoked: lines.revoked()}
	for _, l := range h.revoked {
		if l.wrong != "" {
			return nil, fmt.Errorf("%s revokes a key and can't be read, for %s: write the whole line there, as in @revoked * TYPE KEY", h.place(l), l.wrong)
		}
	}
	about := lines.about(addr)
	for _, l := range about {
		if about.canPassOver(l) {
			continue
		}
		if l.wrong != "" {
			return nil, fmt.Errorf("%s is about it and can't be read, for %s: correct that line, or remove it", h.place(l), l.wrong)
		}
		if l.marker != markerRevoked {
			h.known = append(h.known, l)
		}
	}
	h.algorithms = h.known.algorithms()
	return h, nil
}

// check is an ssh.HostKeyCallback. The peer's address is not asked for: names decide, as they do for OpenSSH with
// CheckHostIP no, and behind a jump host there is no other address to be had.
func (h *hostKeys) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	err := h.judge(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shown, h.err = key, err
	return err
}

// revokedError is a key that must not be accepted, and the line that says so.
type revokedError struct{ line knownLine }

func (e *revokedError) Error() string {
	return fmt.Sprintf("the key is revoked in line %d", e.line.number)
}

var errNotKnown = errors.New("the key is not in known_hosts")

// judge gives nil for a key that known_hosts vouches for. A certificate that it doesn't accept is worth what the key in it
// is worth, as for OpenSSH (sshconnect.c, check_host_key: "Retry with plain key").
func (h *hostKeys) judge(key ssh.PublicKey) error {
	cert, isCertificate := key.(*ssh.Certificate)
	if !isCertificate {
		return h.judgeKey(key)
	}
	err := h.judgeCertificate(cert)
	var revoked *revokedError
	if err != nil && !errors.As(err, &revoked) && h.judgeKey(cert.Key) == nil {
		return nil
	}
	return err
}

func (h *hostKeys) judgeKey(key ssh.PublicKey) error {
	if line, revoked := h.revoked.holder(markerRevoked, key); revoked {
		return &revokedError{line}
	}
	if _, known := h.known.holder("", key); !known {
		return errNotKnown
	}
	return nil
}

func (h *hostKeys) judgeCertificate(cert *ssh.Certificate) error {
	for _, key := range []ssh.PublicKey{cert.Key, cert.SignatureKey} {
		if line, revoked := h.revoked.holder(markerRevoked, key); revoked {
			return &revokedError{line}
		}
	}
	checker := ssh.CertChecker{IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
		_, known := h.known.holder(markerAuthority, authority)
		return known
	}}
	return checker.CheckHostKey(net.JoinHostPort(h.principal(cert), h.address.port), nil, cert)
}

// principal is the host's name as the certificate has it: its principals may be patterns, which x/crypto doesn't know
// (sshkey.c, sshkey_cert_check_authority).
func (h *hostKeys) principal(cert *ssh.Certificate) string {
	i := slices.IndexFunc(cert.ValidPrincipals, func(pattern string) bool { return matches(pattern, h.address.host) })
	if i < 0 {
		return h.address.host
	}
	return cert.ValidPrincipals[i]
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
	if err != nil || now.judge(h.shown) != nil {
		return false
	}
	h.info = now.info
	return true
}

// sameContent reports whether a file was not written or replaced in between.
func sameContent(before, after fs.FileInfo) bool {
	return before != nil && os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()) && before.Size() == after.Size()
}
