package realhost

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports that Linux never gives to outgoing connections by itself: net.ipv4.ip_local_port_range begins at 32768.
// One from that range could be taken while a container that publishes it is being recreated.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePort is a loopback port nobody listens on.
func freePort(tb testing.TB) int {
	tb.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			tb.Fatalf("close the probe of port %d: %v", port, err)
		}
		return port
	}
	tb.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return 0
}

// loopback is the address of a port on this machine.
func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
