package ssh

import (
	"errors"
	"fmt"
	"net"
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
	// Lower case, as OpenSSH looks names up in known_hosts.
	return address{user: s[:at], host: strings.ToLower(host), port: port}, nil
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
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("the port must be a number from 1 to 65535, not %q", port)
	}
	return host, port, nil
}

// dial is "host:port", as net.Dial takes it.
func (a address) dial() string { return net.JoinHostPort(a.host, a.port) }

// known is the host's name in known_hosts: misc.c, put_host_port.
func (a address) known() string {
	if a.port == defaultPort {
		return a.host
	}
	return "[" + a.host + "]:" + a.port
}

// scan is the command that shows the host's keys.
func (a address) scan() string {
	if a.port == defaultPort {
		return "ssh-keyscan " + a.host
	}
	return "ssh-keyscan -p " + a.port + " " + a.host
}
