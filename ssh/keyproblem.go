package ssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyProblem says what is wrong with the host's key, and what to do; ok is false when the key is not what failed.
func (h *hostKeys) keyProblem(handshake error) (problem, remedy string, ok bool) {
	shown, err := h.seen()
	if err == nil {
		return h.typeProblem(handshake)
	}
	var revoked *revokedError
	cert, isCertificate := shown.(*ssh.Certificate)
	if isCertificate && !slices.ContainsFunc(h.known, func(l knownLine) bool { return l.marker == markerAuthority }) {
		shown, isCertificate = cert.Key, false // nobody here goes by certificates
	}
	switch {
	case errors.As(err, &revoked):
		problem = fmt.Sprintf("its host key %s is revoked in %s", fingerprint(revoked.line.key), h.place(revoked.line))
		remedy = "do not connect; ask who revoked it and why, and give the host a new key"
	case isCertificate:
		problem, remedy = h.certificateProblem(cert, err)
	case len(h.known) > 0:
		problem, remedy = h.changed(shown)
	default:
		problem = fmt.Sprintf("it is not in %s; it shows the key %s", h.file, fingerprint(shown))
		remedy = fmt.Sprintf("compare that fingerprint with the one that ssh-keygen -lf prints on the host itself, then add the line of: %s", h.address.scan())
	}
	return problem, remedy, true
}

// changed is the sentence that may mean an attack.
func (h *hostKeys) changed(shown ssh.PublicKey) (problem, remedy string) {
	known := h.known
	if same := slices.DeleteFunc(slices.Clone(known), func(l knownLine) bool { return l.key.Type() != shown.Type() }); len(same) > 0 {
		known = same
	}
	problem = fmt.Sprintf("the host key has changed: it shows %s, known is %s", fingerprint(shown), keyList(known))
	remedy = fmt.Sprintf("ask who runs the host whether its key was replaced, for somebody may stand in between; only then replace %s", h.placeList(known))
	return problem, remedy
}

// typeProblem is about a host that has no key of the types under which it is known: no key was shown at all.
func (h *hostKeys) typeProblem(handshake error) (problem, remedy string, ok bool) {
	var negotiation *ssh.AlgorithmNegotiationError
	if !errors.As(handshake, &negotiation) || negotiation.What != "host key" {
		return "", "", false
	}
	has := strings.Join(negotiation.RequestedAlgorithms, ", ")
	if len(h.known) == 0 {
		return "it has no host key of a type that is still safe, only " + has,
			"update its SSH server, or make an Ed25519 host key there with ssh-keygen -A", true
	}
	problem = fmt.Sprintf("it is known under another key type only: it has %s, known is %s", has, keyList(h.known))
	remedy = fmt.Sprintf("run %s, compare the fingerprint with the host's own, and add that line beside %s", h.address.scan(), h.placeList(h.known))
	return problem, remedy, true
}

// unsafeProblem is about a host that is known only under key types that are not offered any more.
func (h *hostKeys) unsafeProblem() (problem, remedy string, ok bool) {
	if len(h.known) == 0 || len(h.algorithms) > 0 {
		return "", "", false
	}
	problem = "it is known only under a key type that is no longer safe: " + keyList(h.known)
	remedy = fmt.Sprintf("run %s, compare the fingerprint of its Ed25519 key with the host's own, and add that line", h.address.scan())
	return problem, remedy, true
}

func (h *hostKeys) certificateProblem(cert *ssh.Certificate, err error) (problem, remedy string) {
	problem = fmt.Sprintf("its host certificate, signed by %s, is not accepted (%v)", fingerprint(cert.SignatureKey), err)
	remedy = fmt.Sprintf("renew the certificate, or compare the signer with your certificate authority and add it as @cert-authority to %s", h.file)
	return problem, remedy
}

func keyList(known knownHosts) string {
	return list(known, func(l knownLine) string { return fingerprint(l.key) })
}

func (h *hostKeys) placeList(known knownHosts) string { return list(known, h.place) }

func (h *hostKeys) place(l knownLine) string { return fmt.Sprintf("%s:%d", h.file, l.number) }

func list(known knownHosts, name func(knownLine) string) string {
	names := make([]string, len(known))
	for i, l := range known {
		names[i] = name(l)
	}
	return strings.Join(names, ", ")
}
