package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/crypto/ssh"
)

// knownHosts are the lines of a known_hosts file that say something, in their order. Each is read by itself, as OpenSSH does
// (hostfile.c, hostkeys_foreach_file): one that can't be read says nothing about other hosts.
type knownHosts []knownLine

// readKnownHosts says what is wrong with the whole file, and what to do.
func readKnownHosts(file string) (knownHosts, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist: write it with ssh-keyscan HOST and compare each fingerprint with the host's own", file)
	}
	if err != nil {
		return nil, fmt.Errorf("known_hosts can't be read: make it readable for this user: %w", err)
	}
	if isUTF16(data) {
		return nil, fmt.Errorf("%s is in UTF-16, as PowerShell's > writes it: write it again in UTF-8: iconv -f UTF-16 -t UTF-8", file)
	}
	lines := parseKnownHosts(data)
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s names no host: fill it with ssh-keyscan HOST and compare each fingerprint with the host's own", file)
	}
	return lines, nil
}

func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})
}

func parseKnownHosts(data []byte) (lines knownHosts) {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if l, ok := parseKnownLine(string(line)); ok {
			l.number = number
			lines = append(lines, l)
		}
	}
	return lines
}

// about are the lines that OpenSSH would consult for a host. One with a port of its own is looked up as [host]:port; where no
// key is kept under that, as the bare host (sshconnect.c, check_host_key: "checking without port identifier"). An authority
// under either name counts: OpenSSH looks on where the first one didn't sign.
func (lines knownHosts) about(addr address) (about knownHosts) {
	own, bare := addr.known()
	hasOwn := slices.ContainsFunc(lines, func(l knownLine) bool { return l.marker == "" && l.names(own) })
	for _, l := range lines {
		if l.names(own) || l.names(bare) && (l.marker == markerAuthority || !hasOwn) {
			about = append(about, l)
		}
	}
	return about
}

// canPassOver reports whether one of the lines about a host is a whole key of a type that isn't known here, beside another key
// or an authority that can be read. ssh-keyscan writes such lines of a server newer than this program (an ssh-mldsa44-ed25519
// key, which OpenSSH 10 makes beside the others). The type is never offered, so the host can't show that key.
func (about knownHosts) canPassOver(l knownLine) bool {
	return l.wrong == wrongType && l.marker == "" && slices.ContainsFunc(about, func(other knownLine) bool {
		return other.key != nil && other.marker != markerRevoked
	})
}

// revoked are the revoked keys, whichever host they were revoked for: sshd(8) has it that such a key "must not ever be
// accepted". OpenSSH itself looks only at the lines about the host.
func (lines knownHosts) revoked() (revoked knownHosts) {
	for _, l := range lines {
		if l.marker == markerRevoked {
			revoked = append(revoked, l)
		}
	}
	return revoked
}

// holder is the line with a marker (or none) that has the key.
func (lines knownHosts) holder(marker string, key ssh.PublicKey) (knownLine, bool) {
	i := slices.IndexFunc(lines, func(l knownLine) bool {
		return l.marker == marker && l.key != nil && bytes.Equal(l.key.Marshal(), key.Marshal())
	})
	if i < 0 {
		return knownLine{}, false
	}
	return lines[i], true
}

// algorithms are the host key algorithms to offer, so that the host shows a key that it is known by. An authority may sign a
// key of any type: OpenSSH, too, then offers all kinds of certificates (sshconnect2.c, order_hostkeyalgs).
// SHA-1 signatures and DSA are not offered although the file may have such a key: OpenSSH dropped them in 8.8 and 7.0.
func (lines knownHosts) algorithms() (algorithms []string) {
	safe := ssh.SupportedAlgorithms().HostKeys
	for _, l := range lines {
		for _, algorithm := range safe {
			if l.takes(algorithm) && !slices.Contains(algorithms, algorithm) {
				algorithms = append(algorithms, algorithm)
			}
		}
	}
	return algorithms
}
