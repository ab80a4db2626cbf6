package journal

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// wire stands between a Store and PostgreSQL, reads what is said, and can lose connections at a COMMIT.
type wire struct {
	server   string
	listener net.Listener

	mu       sync.Mutex
	atCommit func(c *wired) // what becomes of the next COMMIT; nil: it passes
	deaf     bool           // new connections are taken and nothing is said
	frozen   bool           // nothing passes any more, in either direction
	conns    []net.Conn
}

// wired is one connection through the wire.
type wired struct {
	client, server net.Conn
	commit         []byte // the message
	cut            chan struct{}
}

// newWire gives the URL of the same database through the wire.
func newWire(t *testing.T, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{server: u.Host, listener: listener}
	t.Cleanup(func() { listener.Close(); w.cutAll() })
	go w.serve()
	u.Host = listener.Addr().String()
	return w, u.String()
}

func (w *wire) serve() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp4", w.server)
		if err != nil {
			client.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, client, server)
		deaf := w.deaf
		w.mu.Unlock()
		if deaf {
			continue
		}
		c := &wired{client: client, server: server, cut: make(chan struct{})}
		go c.answers()
		go w.questions(c)
	}
}

// cutAll ends every connection on both sides.
func (w *wire) cutAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		conn.Close()
	}
	w.conns = nil
}

// next says what becomes of the next COMMIT, and of none after it.
func (w *wire) next(f func(c *wired)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.atCommit = f
}

func (w *wire) setDeaf(deaf bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf = deaf
}

// freeze lets nothing pass any more; the connections stay.
func (w *wire) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = true
}

func (w *wire) isFrozen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frozen
}

func (w *wire) take() (f func(c *wired)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, w.atCommit = w.atCommit, nil
	return f
}

// answers passes what the server says. Once the connection is cut, the answers are read and kept from the client.
func (c *wired) answers() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(buffer)
		select {
		case <-c.cut:
			if err != nil {
				return
			}
			continue
		default:
		}
		if n > 0 {
			if _, err := c.client.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			c.client.Close()
			return
		}
	}
}

// questions passes the client's messages one by one.
func (w *wire) questions(c *wired) {
	defer c.server.Close()
	for first := true; ; first = false {
		message, err := readMessage(c.client, first)
		if err != nil {
			return
		}
		if bytes.Equal(message, commitMessage) {
			if f := w.take(); f != nil {
				c.commit = message
				f(c)
				return
			}
		}
		if w.isFrozen() {
			continue
		}
		if _, err := c.server.Write(message); err != nil {
			return
		}
	}
}

// commitMessage is the simple query "commit": https://www.postgresql.org/docs/15/protocol-message-formats.html
var commitMessage = []byte("Q\x00\x00\x00\x0bcommit\x00")

// readMessage reads one message: a letter unless it is the first, a length that counts itself, and the rest.
func readMessage(r io.Reader, first bool) ([]byte, error) {
	head := make([]byte, 5)
	if first {
		head = head[:4]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	message := make([]byte, len(head)-4+int(binary.BigEndian.Uint32(head[len(head)-4:])))
	copy(message, head)
	_, err := io.ReadFull(r, message[len(head):])
	return message, err
}

// hide lets the client see the connection's end, and the server nothing.
func (c *wired) hide() {
	close(c.cut)
	c.client.Close()
}

// beforeServer loses the connection before the server hears of the COMMIT, which it then never does.
func beforeServer(c *wired) {
	c.hide()
	c.server.Close()
}

// afterServer loses the connection once the server has had the COMMIT.
func afterServer(c *wired) {
	close(c.cut)
	_, _ = c.server.Write(c.commit)
	waitIdle(c.server)
	c.client.Close()
}

// waitIdle gives the server the time to answer: it ends the connection when it is told to, and by then it has
// committed, since it takes one message after the other.
func waitIdle(server net.Conn) {
	_, _ = server.Write([]byte("X\x00\x00\x00\x04"))
	_, _ = io.Copy(io.Discard, server)
}
