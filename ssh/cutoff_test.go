package ssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/sshtest"
)

// A link that breaks between a command's exit status and the end of its output must not make half an output a whole. The
// link is broken many times: for how short a time x/crypto still takes messages then is a matter of who has their turn.
func TestRun_OutputCutOffIsLost(t *testing.T) {
	dir := t.TempDir()
	for name, closing := range map[string]func(channel ssh.Channel, conn net.Conn){
		"the link breaks": func(_ ssh.Channel, conn net.Conn) { conn.Close() },
		"the link breaks, and the kernel knows not": func(_ ssh.Channel, conn net.Conn) { conn.Close() },
		"the host closes": func(channel ssh.Channel, _ net.Conn) { channel.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				synctest.Test(t, func(t *testing.T) {
					key := newSigner(t)
					known := newHost(t, sshtest.Options{Dir: dir, HostKeys: []ssh.Signer{key}})
					cfg := configOf(known)
					cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
						client, server := sshtest.Pipe()
						go statusThen(server, key, closing)
						if strings.HasSuffix(name, "knows not") {
							client = unaware{client}
						}
						return client, nil
					}
					pool := newPool(t, cfg)
					result, err := on(pool, known.Host()).Run(t.Context(), command{Args: []string{"x"}})
					if strings.HasPrefix(name, "the link breaks") {
						wantLost(t, err)
					} else if err != nil || result.Status != 0 || string(result.Stdout) != "half" {
						t.Errorf("got %+v, %v, want the whole output", result, err)
					}
					pool.Close()
					known.Close()
				})
			}
		})
	}
}

// unaware is a connection that takes what is written to nobody, as a kernel does until it hears that nobody is there.
type unaware struct{ net.Conn }

func (u unaware) Write(p []byte) (int, error) {
	_, _ = u.Conn.Write(p)
	return len(p), nil
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// markOf is the mark with which a line has its command begin.
func markOf(line []byte) string {
	return regexp.MustCompile(`rollbackbot-[A-Z2-7]{26}`).FindString(string(line))
}

// statusThen is a host that answers any command with some output and status 0, and a second later does what closing says.
func statusThen(conn net.Conn, key ssh.Signer, closing func(ssh.Channel, net.Conn)) {
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(key)
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for request := range channels {
		channel, requests, err := request.Accept()
		if err != nil {
			return
		}
		exec := <-requests
		_ = exec.Reply(true, nil)
		_, _ = io.WriteString(channel, markOf(exec.Payload)+"\nhalf")
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
		time.Sleep(time.Second)
		closing(channel, conn)
		ssh.DiscardRequests(requests)
	}
}
