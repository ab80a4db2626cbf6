package hostlab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/parts"
)

// Lab is what the hosts of one process share: the bridge, a registry on its address, and the key that opens every account.
type Lab struct {
	users    *os.File // its lock is shared by all labs of this machine
	registry string
	server   *http.Server
	served   chan error
	public   []byte
	private  []byte
	hosts    []*Host
}

// NewLab makes a lab without hosts. Only root can.
func NewLab() (*Lab, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("hosts in namespaces of their own need root")
	}
	l := &Lab{served: make(chan error, 1)}
	if err := l.join(); err != nil {
		return nil, err
	}
	if err := errors.Join(l.serve(), l.makeKey()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// join raises the bridge if this is the only lab, and keeps it up for as long as it lives.
func (l *Lab) join() (err error) {
	folder, err := parts.HostsFolder()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	raising, err := os.OpenFile(filepath.Join(folder, "bridge.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer raising.Close()
	if l.users, err = os.OpenFile(filepath.Join(folder, "labs.lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	// One at a time raises it, and nobody who is about to lower it.
	if err := syscall.Flock(int(raising.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if err := syscall.Flock(int(l.users.Fd()), syscall.LOCK_SH); err != nil {
		return err
	}
	return raiseBridge()
}

// serve starts the registry, which is empty. What is pushed lives in memory.
func (l *Lab) serve() error {
	listener, err := net.Listen("tcp", bridgeAddress+":0")
	if err != nil {
		return err
	}
	l.registry = listener.Addr().String()
	l.server = &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: time.Minute}
	go func() { l.served <- l.server.Serve(listener) }()
	return nil
}

func (l *Lab) makeKey() error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return err
	}
	l.public, l.private = ssh.MarshalAuthorizedKey(sshPublic), pem.EncodeToMemory(block)
	return nil
}

// Registry is the address of the registry, which speaks HTTP without TLS.
func (l *Lab) Registry() string { return l.registry }

// Boot starts a host of a generation, which runs until Close.
func (l *Lab) Boot(g Generation) (*Host, error) {
	if _, err := parts.FindHostRoot(string(g)); err != nil {
		return nil, err
	}
	at, err := takePlace()
	if err != nil {
		return nil, err
	}
	h, err := start(g, at, l.registry)
	if err != nil {
		return nil, err
	}
	l.hosts = append(l.hosts, h)
	keys, err := h.hostKeys()
	if err != nil {
		return nil, err
	}
	return h, errors.Join(
		h.authorize(l.public),
		os.WriteFile(h.KeyFile(), l.private, 0o600),
		os.WriteFile(h.KnownHosts(), []byte(keys), 0o644),
	)
}

// Close ends all hosts of the lab and removes what was theirs; the bridge goes with the last lab of this machine.
func (l *Lab) Close() error {
	var problems []error
	for _, h := range l.hosts {
		problems = append(problems, h.stop())
	}
	if l.server != nil {
		problems = append(problems, l.server.Close())
		if err := <-l.served; !errors.Is(err, http.ErrServerClosed) {
			problems = append(problems, fmt.Errorf("the registry ended by itself: %w", err))
		}
	}
	if syscall.Flock(int(l.users.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil { // nobody else is there
		problems = append(problems, commands([]string{"ip", "link", "delete", bridge}))
	}
	return errors.Join(append(problems, l.users.Close())...)
}

// KeyFile is the private key that opens every account of the host.
func (h *Host) KeyFile() string { return h.shelf("key") }

// KnownHosts is a known_hosts file with the host's keys.
func (h *Host) KnownHosts() string { return h.shelf("known_hosts") }
