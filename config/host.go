package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"rollbackbot/runbook"
)

// The user and the name stay clear of what a shell, ssh's options or known_hosts could take for something else.
var (
	userPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	zonePattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	namePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
)

// maxHostName is the longest host name there is, in bytes (RFC 1035, section 2.3.4).
const maxHostName = 253

// host is "user@host" or "user@host:port", an IPv6 address in brackets.
func (r *reader) host(s setting, text string) runbook.Host {
	const remedy = "write user@host or user@host:port, as in deploy@your-vps"
	user, address, found := strings.Cut(text, "@")
	switch {
	case strings.Contains(text, "://"):
		r.problem(s, show(text)+" is a URL", "leave out ssh://, as in deploy@your-vps:22")
	case !found:
		r.problem(s, show(text)+" names no user", remedy)
	case !userPattern.MatchString(user):
		r.problem(s, show(text)+" has no user name before the @", remedy)
	default:
		if wrong, remedy := judgeAddress(user, address); wrong != "" {
			r.problem(s, show(text)+" "+wrong, remedy)
		}
	}
	return runbook.Host(text)
}

// judgeAddress says what is wrong with what stands after the @: a name or an IP address, with a port or without.
func judgeAddress(user, text string) (wrong, remedy string) {
	name, port, hasPort := strings.Cut(text, ":")
	bracketed := strings.HasPrefix(text, "[")
	if bracketed {
		var closed bool
		if name, port, closed = strings.Cut(text[1:], "]"); !closed {
			return "is no host, since it has a bracket that is not closed", "write it as in deploy@[2001:db8::1]:22"
		}
		port, hasPort = strings.CutPrefix(port, ":")
		if !hasPort && port != "" {
			return "is no host", "write the port after the bracket, as in deploy@[2001:db8::1]:22"
		}
	}
	ip, err := netip.ParseAddr(text)
	switch {
	case !bracketed && err == nil && ip.Is6():
		return "is no host, since it has an IPv6 address without brackets, where nobody can tell a port from its end", "write " + user + "@[" + text + "], and a port after that"
	case hasPort && !isPort(port):
		return "is no host, since it has no port from 1 to 65535 after its last colon", "leave the port out, or write it as in deploy@your-vps:22 or deploy@[2001:db8::1]:22"
	case bracketed:
		return judgeSix(user, name)
	}
	return judgeName(name)
}

// judgeSix looks at an IPv6 address, and the interface after it.
func judgeSix(user, text string) (wrong, remedy string) {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil || !ip.Is6():
		return "is no host, since it has brackets around what is no IPv6 address", "leave the brackets out, or write an IPv6 address in them, as in deploy@[2001:db8::1]:22"
	case ip.Zone() != "" && !zonePattern.MatchString(ip.Zone()):
		return "is no host, since it names no interface after the %", "write it as in deploy@[fe80::1%eth0]"
	case ip.IsLinkLocalUnicast() && ip.Zone() == "":
		return "is no host, since it has an address that is in use on every network, and not the interface to it", "write it with that, as in " + user + "@[" + text + "%eth0]"
	}
	return "", ""
}

// judgeName looks at a name in DNS, or an IPv4 address.
func judgeName(name string) (wrong, remedy string) {
	last := name[strings.LastIndexByte(name, '.')+1:]
	_, notFour := netip.ParseAddr(name)
	switch {
	case strings.ContainsFunc(name, func(c rune) bool { return c > '~' }):
		return "is no host, since it has a name with letters that DNS doesn't know", "write the name as DNS has it, with xn--: idn2 NAME prints it"
	case strings.HasSuffix(name, "."):
		return "is no host, since it ends in a dot", "leave the dot out, so that known_hosts and {host} have one name for it"
	case len(name) > maxHostName || !namePattern.MatchString(name) || strings.Contains(name, ".."):
		return "is no host", "write user@host or user@host:port, as in deploy@your-vps or deploy@[2001:db8::1]:22"
	case strings.Trim(last, "0123456789") == "" && strings.Contains(name, ".") && notFour != nil:
		return "is no host, since it has no IPv4 address", "write four numbers from 0 to 255 without leading zeros, as in deploy@203.0.113.7"
	}
	return "", ""
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0 && text[0] != '+' && text[0] != '0'
}

// hosts are the app's hosts, each once.
func (r *reader) hosts(s setting) []runbook.Host {
	var hosts []runbook.Host
	seen := map[string]string{}
	for _, item := range r.list(s) {
		host := r.host(s, item)
		switch before, twice := seen[same(item)]; {
		case twice && before == item:
			r.problem(s, show(item)+" is there twice", "name each host once")
		case twice:
			r.problem(s, show(item)+" is "+show(before)+" in another spelling", "name each host once")
		}
		seen[same(item)] = item
		hosts = append(hosts, host)
	}
	return hosts
}

// same gives two spellings of one log-in the same text: names in capitals, the port that SSH has anyway, an IPv6 address
// written out.
func same(host string) string {
	user, address, _ := strings.Cut(host, "@")
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		name, port = strings.Trim(address, "[]"), "22"
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return user + "@" + net.JoinHostPort(ip.String(), port)
	}
	return user + "@" + net.JoinHostPort(strings.ToLower(name), port)
}
