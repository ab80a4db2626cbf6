package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// openTimeout bounds apps.connections.open, the pacer's wait included. The client's own timeout is shorter; this
	// one is for a client without.
	openTimeout = lastSpacing + 2*callTimeout
	// dialTimeout bounds connecting to the address that it gave, and helloTimeout Slack's greeting there.
	dialTimeout  = 10 * time.Second
	helloTimeout = 10 * time.Second
	// writeBuffer holds the largest acknowledgement, so that each is one frame: Slack doesn't put several together.
	writeBuffer = 32 * 1024
)

var errNoHello = errors.New("a socket was opened, and Slack said nothing on it")

func (s *Socket) dialer() *websocket.Dialer {
	d := &websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialTimeout, WriteBufferSize: writeBuffer}
	if s.Dial != nil {
		d.Proxy, d.NetDialContext = nil, s.Dial
	}
	return d
}

// open opens one socket, and returns when it listens. It is served until it ends.
func (s *Socket) open(ctx context.Context) error {
	l, err := s.dial(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.lines = append(s.lines, l)
	s.mu.Unlock()
	s.serving.Go(func() { s.serve(l) })
	hello := time.NewTimer(helloTimeout)
	defer hello.Stop()
	select {
	case err = <-l.opened:
	case <-hello.C:
		s.leave(l, phaseGoing, errNoHello) // a hello that comes in this moment counts, and opened has it
		err = <-l.opened
	case <-ctx.Done():
		return ctx.Err() // it is hung up with the others
	}
	if err != nil {
		l.hangUp()
	}
	return err
}

// dial asks Slack for an address, and connects to it.
func (s *Socket) dial(ctx context.Context) (*line, error) {
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	_, address, err := s.API.StartSocketModeContext(opening)
	if err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, response, err := s.dialer().DialContext(dialing, address, nil)
	if response != nil && response.Body != nil {
		_ = response.Body.Close() // gorilla has read what it needs of it
	}
	switch {
	case err != nil && response != nil:
		return nil, fmt.Errorf("connect to the socket's address: %w: %s", bare(err), response.Status)
	case err != nil:
		return nil, fmt.Errorf("connect to the socket's address: %w", bare(err))
	}
	return newLine(conn, conn.LocalAddr().String()), nil
}

// bare takes the address off an error: its ticket lets whoever has it listen in the bot's place.
func bare(err error) error {
	var withAddress *url.Error
	if errors.As(err, &withAddress) {
		return withAddress.Err
	}
	return err
}
