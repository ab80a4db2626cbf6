package realhost

import (
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
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
		if free(port) {
			return port
		}
	}
	tb.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return 0
}

// free listens on a port for a moment. No process is started meanwhile: a child has the listener open until it becomes
// another program, and the port would still be taken when it is wanted (seen with tests in parallel).
func free(port int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// loopback is the address of a port on this machine.
func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
