package ssh

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// defaultPort is SSH's: RFC 4253, section 4.1.
const defaultPort = "22"

// address is "user@host[:port]", taken apart.
type address struct {
	user string
	host string // a name in lower case, or an IP address without brackets
	port string // 1 to 65535
}

// parseAddress reads "user@name", "user@name:port", "user@[::1]:port" and, without a port, "user@::1".
func parseAddress(s string) (address, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return address{}, fmt.Errorf("%q has no user: write user@host or user@host:port", s)
	}
	host, port, err := splitPort(s[at+1:])
	if err != nil {
		return address{}, fmt.Errorf("%q: %w", s, err)
	}
	return address{user: s[:at], host: canonical(host), port: port}, nil
}

// canonical is a host as OpenSSH looks it up in known_hosts: a name in lower case, an address in its shortest form
// (ssh.c, resolve_canonicalize). The interface in it stays as it is: its name has capitals or has not.
func canonical(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String()
	}
	return strings.ToLower(host)
}

func splitPort(s string) (host, port string, err error) {
	if strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
		s = "[" + s + "]" // an IPv6 address that stands alone
	}
	if !strings.Contains(s, ":") || strings.HasSuffix(s, "]") {
		s += ":" + defaultPort
	}
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		return "", "", errors.New("write user@host or user@host:port")
	}
	if host == "" || strings.ContainsAny(host, " \t,*?!|[]/@") {
		return "", "", errors.New("the host's name is missing or has characters that no name has")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", "", fmt.Errorf("the port must be a number from 1 to 65535, not %q", port)
	}
	return host, strconv.FormatUint(n, 10), nil
}

// dial is "host:port", as net.Dial takes it.
func (a address) dial() string { return net.JoinHostPort(a.host, a.port) }

// known are the host's names in known_hosts, with its port (misc.c, put_host_port) and without. They are matched in lower case.
func (a address) known() (own, bare string) {
	bare = strings.ToLower(a.host)
	if a.port == defaultPort {
		return bare, bare
	}
	return "[" + bare + "]:" + a.port, bare
}

// scan is the command that shows the host's keys.
func (a address) scan() string {
	if a.port == defaultPort {
		return "ssh-keyscan " + a.host
	}
	return "ssh-keyscan -p " + a.port + " " + a.host
}
