package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"

	"rollbackbot/runbook"
)

// Pool holds the connections to all hosts. Its methods may be called from any goroutine.
type Pool struct {
	config Config
	log    zerolog.Logger
	keys   keys
	jump   *Client // nil without a jump host

	ctx        context.Context // ends when the pool closes
	cancel     context.CancelFunc
	background sync.WaitGroup

	mu      sync.Mutex
	clients map[runbook.Host]*Client
	closed  bool
}

// New reads the key (or asks the agent) and known_hosts, and connects to nobody. Its error names everything that is
// wrong, one problem a line, each with its remedy. The caller closes the pool.
func New(cfg Config, log zerolog.Logger) (*Pool, error) {
	cfg = cfg.withDefaults()
	keys, keyErr := newKeys(cfg)
	_, hostsErr := readKnownHosts(cfg.KnownHosts)
	if cfg.KnownHosts == "" {
		hostsErr = errors.New("no known_hosts file: name one, for host keys are always checked")
	}
	if err := errors.Join(keyErr, hostsErr, checkJump(cfg.Jump)); err != nil {
		return nil, err
	}
	p := &Pool{
		config:  cfg,
		log:     log.With().Str("component", "ssh").Logger(),
		keys:    keys,
		clients: make(map[runbook.Host]*Client),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if cfg.Jump != "" {
		p.jump = newClient(p, runbook.Host(cfg.Jump), p.connectDirectly)
	}
	return p, nil
}

func checkJump(jump string) error {
	if jump == "" {
		return nil
	}
	if _, err := parseAddress(jump); err != nil {
		return fmt.Errorf("the jump host: %w", err)
	}
	return nil
}

// Client gives the host's Client, always the same one for the same host. Nothing is dialled before its first Run.
func (p *Pool) Client(host runbook.Host) *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	client, ok := p.clients[host]
	if !ok {
		connect := p.connectDirectly
		if p.jump != nil {
			connect = p.connectThroughJump
		}
		client = newClient(p, host, connect)
		p.clients[host] = client
	}
	return client
}

// Close drops all connections and waits until they are gone. Commands under way are lost, and go on on their hosts;
// every later Run gives a *runbook.HostError.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.background.Wait()
	return nil
}

// spawn runs f in a goroutine that Close waits for; it reports false, and runs nothing, once the pool is closed.
func (p *Pool) spawn(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.background.Go(f)
	return true
}
