package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Signers are the keys that people sign with: an allowed_signers file as ssh-keygen(1) describes it, whose principals
// are Slack IDs. The zero value knows nobody.
type Signers struct {
	lines []signer
}

// signer is one line of the file.
type signer struct {
	principals []string // patterns
	namespaces []string // patterns; none: any
	after      time.Time
	before     time.Time // both zero: no bound
	key        ssh.PublicKey
}

// LoadSigners reads an allowed_signers file. The error joins one for each bad line, with its number.
func LoadSigners(file string) (Signers, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Signers{}, err
	}
	return ParseSigners(text)
}

// ParseSigners reads the text of an allowed_signers file. Times without a zone are in the local one.
func ParseSigners(text []byte) (Signers, error) {
	var s Signers
	var problems []error
	for i, line := range bytes.Split(text, []byte("\n")) {
		trimmed := strings.TrimSpace(string(line))
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		one, err := parseSigner(trimmed)
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", i+1, err))
			continue
		}
		s.lines = append(s.lines, one)
	}
	if len(problems) == 0 && len(s.lines) == 0 {
		problems = append(problems, errors.New("there is no key in it"))
	}
	return s, errors.Join(problems...)
}

func parseSigner(line string) (signer, error) {
	principals, rest, err := cutPrincipals(line)
	if err != nil {
		return signer{}, err
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return signer{}, errors.New("no public key after the principals and options")
	}
	if _, isCertificate := key.(*ssh.Certificate); isCertificate {
		return signer{}, errors.New("a certificate is not a key; name the key itself")
	}
	s := signer{principals: strings.Split(principals, ","), key: key}
	seen := map[string]bool{}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		name, value = strings.ToLower(name), strings.Trim(value, `"`)
		if seen[name] {
			return signer{}, fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if err := s.set(name, value); err != nil {
			return signer{}, err
		}
	}
	if !s.after.IsZero() && !s.before.IsZero() && !s.after.Before(s.before) {
		return signer{}, errors.New("valid-after is not before valid-before")
	}
	return s, nil
}

// cutPrincipals takes the first field, which may stand in double quotes.
func cutPrincipals(line string) (principals, rest string, err error) {
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		principals, rest, ok = strings.Cut(quoted, `"`)
		if !ok {
			return "", "", errors.New("a quote is not closed")
		}
	} else if at := strings.IndexAny(line, " \t"); at > 0 {
		principals, rest = line[:at], line[at:]
	}
	if principals == "" || strings.TrimSpace(rest) == "" {
		return "", "", errors.New("it has to be: PRINCIPALS [OPTIONS] KEYTYPE KEY")
	}
	return principals, strings.TrimSpace(rest), nil
}

func (s *signer) set(option, value string) (err error) {
	switch option {
	case "namespaces":
		if value == "" {
			return errors.New("namespaces is empty")
		}
		s.namespaces = strings.Split(value, ",")
	case "valid-after":
		s.after, err = parseTime(value)
	case "valid-before":
		s.before, err = parseTime(value)
	case "cert-authority":
		return errors.New("cert-authority is not supported: name the people's own keys")
	default:
		return fmt.Errorf("there is no option %q", option)
	}
	return err
}

// parseTime reads YYYYMMDD or YYYYMMDDHHMM[SS], with a Z for UTC and otherwise in local time.
func parseTime(text string) (time.Time, error) {
	digits, zone := text, time.Local
	if cut, isUTC := strings.CutSuffix(strings.ToUpper(text), "Z"); isUTC {
		digits, zone = cut, time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(layout) == len(digits) {
			if at, err := time.ParseInLocation(layout, digits, zone); err == nil {
				return at, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]", text)
}

// Vouches says why nobody could sign as this person at that time, or nil.
func (s Signers) Vouches(person string, at time.Time) error {
	why := fmt.Errorf("%s is not a principal in it", person)
	for _, line := range s.lines {
		if !matchList(line.principals, person) {
			continue
		}
		if why = line.usable(at); why == nil {
			return nil
		}
	}
	return why
}

// People are the principals that are names and not patterns, each once, in the file's order: whose a signature may be.
func (s Signers) People() (people []string) {
	for _, line := range s.lines {
		for _, name := range line.principals {
			if !strings.ContainsAny(name, "*?!") && !slices.Contains(people, name) {
				people = append(people, name)
			}
		}
	}
	return people
}

// usable says why a line doesn't count for this program at that time, or nil.
func (s signer) usable(at time.Time) error {
	switch {
	case len(s.namespaces) > 0 && !matchList(s.namespaces, Namespace):
		return fmt.Errorf("the key's namespaces don't have %q", Namespace)
	case !s.after.IsZero() && at.Before(s.after):
		return fmt.Errorf("the key is valid only from %s", s.after.UTC().Format("2006-01-02 15:04:05 UTC"))
	case !s.before.IsZero() && at.After(s.before):
		return fmt.Errorf("the key expired at %s", s.before.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return nil
}

// matchList is ssh's: some pattern has to match, and none that begins with "!" may.
func matchList(patterns []string, text string) bool {
	found := false
	for _, pattern := range patterns {
		if unwanted, negated := strings.CutPrefix(pattern, "!"); negated {
			if match(unwanted, text) {
				return false
			}
		} else if match(pattern, text) {
			found = true
		}
	}
	return found
}

// match is ssh's: "*" stands for any characters, "?" for one; case counts.
func match(pattern, text string) bool {
	head, tail, starred := strings.Cut(pattern, "*")
	if len(text) < len(head) {
		return false
	}
	for i := range len(head) {
		if head[i] != '?' && head[i] != text[i] {
			return false
		}
	}
	text = text[len(head):]
	if !starred {
		return text == ""
	}
	for i := 0; i <= len(text); i++ {
		if match(tail, text[i:]) {
			return true
		}
	}
	return false
}
