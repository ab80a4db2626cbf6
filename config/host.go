package config

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"rollbackbot/runbook"
)

// The user and the name stay clear of what a shell, ssh's options or known_hosts could take for something else.
var (
	userPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	namePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
)

// maxHostName is the longest host name there is, in bytes (RFC 1035, section 2.3.4).
const maxHostName = 253

// host is "user@host" or "user@host:port", an IPv6 address in brackets.
func (r *reader) host(s setting, text string) runbook.Host {
	user, address, found := strings.Cut(text, "@")
	switch {
	case !found:
		r.problem(s, show(text)+" names no user", "write user@host or user@host:port, as in deploy@your-vps")
	case !userPattern.MatchString(user):
		r.problem(s, show(text)+" has no user name before the @", "write user@host or user@host:port, as in deploy@your-vps")
	case !isAddress(address):
		r.problem(s, show(text)+" is no host", "write user@host or user@host:port, as in deploy@your-vps or deploy@[2001:db8::1]:22")
	}
	return runbook.Host(text)
}

// isAddress reports whether the text is a host name or an IP address, with a port or without.
func isAddress(text string) bool {
	name, port := text, ""
	if bracketed, ok := strings.CutPrefix(text, "["); ok {
		address, rest, closed := strings.Cut(bracketed, "]")
		ip, err := netip.ParseAddr(address)
		return closed && err == nil && ip.Is6() && (rest == "" || strings.HasPrefix(rest, ":") && isPort(rest[1:]))
	}
	if i := strings.IndexByte(text, ':'); i >= 0 {
		name, port = text[:i], text[i+1:]
		if !isPort(port) {
			return false
		}
	}
	return len(name) <= maxHostName && namePattern.MatchString(name)
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0 && text[0] != '+'
}

// hosts are the app's hosts, each once.
func (r *reader) hosts(s setting) []runbook.Host {
	var hosts []runbook.Host
	seen := map[runbook.Host]bool{}
	for _, item := range r.list(s) {
		host := r.host(s, item)
		if seen[host] {
			r.problem(s, show(item)+" is there twice", "name each host once")
		}
		seen[host] = true
		hosts = append(hosts, host)
	}
	return hosts
}
