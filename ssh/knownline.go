package ssh

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The markers that OpenSSH knows (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
const (
	markerAuthority = "@cert-authority"
	markerRevoked   = "@revoked"
)

// knownLine is one line of known_hosts: "[marker] hosts type key comment".
type knownLine struct {
	number int
	marker string        // with the @; empty for a host's own key
	hosts  string        // patterns separated by commas, or one hashed name
	key    ssh.PublicKey // nil where the line can't be read
	wrong  string        // why it can't: nothing of the line is in it
}

// What may be wrong with a line.
const (
	wrongMarker      = "its marker is not one that ssh knows"
	wrongEnd         = "it ends before the key"
	wrongHash        = "its hashed host name is cut off or damaged"
	wrongKey         = "its key is cut off or damaged"
	wrongType        = "its key is of a type that isn't known here"
	wrongOtherType   = "its key is of another type than it says"
	wrongCertificate = "it has a certificate where a key belongs"
	wrongBOM         = "a byte order mark stands before it"
)

const byteOrderMark = "\ufeff"

// parseKnownLine reads a line; ok is false for one that is empty or a comment. What follows a NUL is cut off, as by OpenSSH,
// which reads lines as C strings.
func parseKnownLine(text string) (l knownLine, ok bool) {
	text, _, _ = strings.Cut(text, "\x00")
	text, marked := strings.CutPrefix(text, byteOrderMark)
	if text = strings.Trim(text, " \t\r\n"); text == "" || text[0] == '#' {
		return knownLine{}, false
	}
	l.marker, text, l.wrong = cutMarker(text)
	l.hosts, text = cutWord(text)
	if l.wrong == "" && strings.HasPrefix(l.hosts, "|") && !isHashed(l.hosts) {
		l.wrong = wrongHash
	}
	if l.wrong == "" && marked {
		l.wrong = wrongBOM
	}
	if l.wrong == "" {
		l.key, l.wrong = parseKnownKey(text)
	}
	return l, true
}

// cutMarker takes the markers from the front of a line. OpenSSH allows one, in lower case, and passes over a line with
// any other. Where one of several, or a misspelt one, says that a key is revoked, it counts as that: a line that was meant to
// keep a key out must not be passed over.
func cutMarker(text string) (marker, rest, wrong string) {
	for count := 1; strings.HasPrefix(text, "@"); count++ {
		var word string
		word, text = cutWord(text)
		if count > 1 || word != markerAuthority && word != markerRevoked {
			wrong = wrongMarker
		}
		switch word = strings.ToLower(word); {
		case strings.HasPrefix(word, "@revok"):
			marker = markerRevoked
		case marker == "":
			marker = word
		}
	}
	return marker, text, wrong
}

// parseKnownKey reads "type key comment".
func parseKnownKey(text string) (key ssh.PublicKey, wrong string) {
	name, text := cutWord(text)
	encoded, _ := cutWord(text)
	if encoded == "" || name[0] == '#' {
		return nil, wrongEnd
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, wrongKey
	}
	key, err = ssh.ParsePublicKey(blob)
	_, isCertificate := key.(*ssh.Certificate)
	switch {
	case err != nil && keyType(blob) == name && !typesKnown[name]:
		return nil, wrongType
	case err != nil:
		return nil, wrongKey
	case isCertificate:
		return nil, wrongCertificate
	case key.Type() != name:
		return nil, wrongOtherType
	}
	return key, ""
}

// keyType is the name with which a key begins: RFC 4253, section 6.6.
func keyType(blob []byte) string {
	var start struct {
		Name string
		Rest []byte `ssh:"rest"`
	}
	_ = ssh.Unmarshal(blob, &start) // a blob without one has none
	return start.Name
}

// typesKnown are the types of keys that can be read, an old DSA one too, so that it is named and not taken for damage. The
// algorithms of RSA are its types, too, but no key bears their names.
var typesKnown = func() map[string]bool {
	known := map[string]bool{ssh.KeyAlgoRSA: true, "ssh-dss": true}
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		known[algorithm] = true
	}
	return known
}()

func cutWord(text string) (word, rest string) {
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], strings.TrimLeft(text[i:], " \t")
	}
	return text, ""
}

// names reports whether the line is about a host, under the name that OpenSSH looks it up by, in lower case: match_hostname.
// A hashed name that was cut off is about the host that it begins to spell.
func (l knownLine) names(host string) bool {
	if strings.HasPrefix(l.hosts, "|") {
		hashed := hashAs(l.hosts, host)
		return hashed == l.hosts || hashed != "" && len(l.hosts) >= len(hashed)-leastHash && strings.HasPrefix(hashed, l.hosts)
	}
	named := false
	for pattern := range strings.SplitSeq(strings.ToLower(l.hosts), ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matches(pattern, host) {
			continue
		}
		if negated {
			return false
		}
		named = true
	}
	return named
}

// matches is OpenSSH's match_pattern: * is any text, dots and all, ? any character. Each * needs to be tried only until the
// next one, so that no pattern takes long.
func matches(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

const (
	hashMagic = "|1|" // of HashKnownHosts, HMAC-SHA1; there is no other
	// leastHash is how many characters of a hash may be missing for its beginning to tell whose it is: of 28, four are left,
	// which one host in 16 million shares.
	leastHash = 24
)

// hashAs is a host's name, hashed with the salt of another hashed name; "" where that has none.
func hashAs(hashed, host string) string {
	encoded, _, _ := strings.Cut(strings.TrimPrefix(hashed, hashMagic), "|")
	salt, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(salt) != sha1.Size || !strings.HasPrefix(hashed, hashMagic) {
		return ""
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(host))
	return hashMagic + encoded + "|" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// isHashed reports whether a hashed name is whole.
func isHashed(hashed string) bool {
	sum, err := base64.StdEncoding.DecodeString(hashed[strings.LastIndexByte(hashed, '|')+1:])
	return err == nil && len(sum) == sha1.Size && len(hashed) == len(hashAs(hashed, ""))
}

// takes reports whether the host may answer with an algorithm and be the one that the line knows.
func (l knownLine) takes(algorithm string) bool {
	certificate := strings.HasSuffix(algorithm, "-cert-v01@openssh.com")
	switch {
	case l.key == nil:
		return false
	case l.marker == markerAuthority:
		return certificate
	case l.marker != "" || certificate:
		return false
	case l.key.Type() == ssh.KeyAlgoRSA:
		return algorithm == ssh.KeyAlgoRSASHA256 || algorithm == ssh.KeyAlgoRSASHA512
	}
	return l.key.Type() == algorithm
}
