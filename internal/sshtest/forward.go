package sshtest

import (
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// forwardRequest is the payload of a direct-tcpip channel: RFC 4254, section 7.2.
type forwardRequest struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// forward plays the jump host.
func (s *Server) forward(request ssh.NewChannel) {
	if s.options.Forward == nil {
		_ = request.Reject(ssh.Prohibited, "open failed") // sshd's words
		return
	}
	var to forwardRequest
	if err := ssh.Unmarshal(request.ExtraData(), &to); err != nil {
		_ = request.Reject(ssh.ConnectionFailed, "malformed request")
		return
	}
	addr := net.JoinHostPort(to.Host, strconv.FormatUint(uint64(to.Port), 10))
	conn, err := s.options.Forward(s.ctx, "tcp", addr)
	if err != nil {
		_ = request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := request.Accept()
	if err != nil {
		conn.Close()
		return
	}
	s.working.Go(func() { ssh.DiscardRequests(requests) })
	join(channel, conn)
}

// join copies both ways until one side ends.
func join(a, b io.ReadWriteCloser) {
	var copying sync.WaitGroup
	closeBoth := func() { a.Close(); b.Close() }
	for _, way := range [][2]io.ReadWriteCloser{{a, b}, {b, a}} {
		copying.Go(func() {
			defer closeBoth()
			_, _ = io.Copy(way[0], way[1]) // that it ended is all there is to know
		})
	}
	copying.Wait()
}
