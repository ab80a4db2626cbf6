package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

const (
	// minToken is how long a token has to be, in characters: 32 hex digits are 128 bits of chance, which nobody guesses
	// over a network.
	minToken = 32
	// minTokenLetters is how many different characters it has to have. 32 random hex digits have 14 of the 16 on
	// average, and hardly ever fewer than 8; what people type to fill up a length has fewer.
	minTokenLetters = 8
)

// tokenPattern is what a header can carry as a bearer token: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
var tokenPattern = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

const tokenRemedy = "make one with: openssl rand -hex 32"

// bearer is the HTTP token. No problem quotes it.
func (r *reader) bearer(s setting) Secret {
	text := s.text()
	letters := map[rune]bool{}
	for _, c := range text {
		letters[c] = true
	}
	switch {
	case text == "":
		return Secret{}
	case !tokenPattern.MatchString(text):
		r.problem(s, "it holds characters that no bearer token can have", tokenRemedy)
	case len(text) < minToken:
		r.problem(s, fmt.Sprintf("it is too short to be safe: %d characters of at least %d", len(text), minToken), tokenRemedy)
	case len(letters) < minTokenLetters:
		r.problem(s, "it is easily guessed: it repeats the same few characters", tokenRemedy)
	}
	return NewSecret(text)
}

// remote is the bot's address for commands on other machines. It demands the token with it.
func (r *reader) remote(s, token setting) string {
	text := s.text()
	if text == "" {
		return ""
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil, parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "":
		r.problem(s, "it is no http or https URL", "write the bot's address, as in https://rollbackbot.example.com")
	case parsed.User != nil:
		r.problem(s, "it holds a user name or password", "leave out what stands before the @; ROLLBACK_HTTP_TOKEN is what is shown")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		r.problem(s, "it holds more than an address", "leave out what begins with ? or #")
	case parsed.Scheme == "http" && !private(parsed.Hostname()):
		r.problem(s, "over http:// everybody on the way could read the token, and answer in the bot's place that an image is allowed",
			"put TLS before the bot and write https://…, or go through a tunnel, as in ssh -N -L 8080:127.0.0.1:8080 …, and write http://127.0.0.1:8080")
	}
	if token.text() == "" {
		r.problem(token, "it is not set, and ROLLBACK_URL is", "give the ROLLBACK_HTTP_TOKEN that the bot has, or leave ROLLBACK_URL out on the bot's own machine")
	}
	return text
}

// carrierGrade is RFC 6598's range, which overlay networks use.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// private tells whether a host is on this machine or on a network of one's own, where there may be no TLS and nobody to
// read along: an address of such a range, or a name without a dot, as containers of one network have.
func private(host string) bool {
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return !strings.Contains(strings.TrimSuffix(host, "."), ".") && net.ParseIP(host) == nil
	}
	address = address.Unmap()
	return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || carrierGrade.Contains(address)
}
