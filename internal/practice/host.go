package practice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"rollbackbot/internal/sshtest"
	"rollbackbot/internal/standin"
	"rollbackbot/internal/standin/overssh"
	"rollbackbot/runbook"
)

// Defaults of Options: long enough for a person to follow what happens.
const (
	DefaultStart = 500 * time.Millisecond
	DefaultPull  = time.Second
)

// Options say how fast a host works.
type Options struct {
	// Start is how long a service takes to be replaced; its program listens half as long after that.
	// Zero means DefaultStart, less than zero as fast as it goes.
	Start time.Duration
	// Pull is how long fetching an image takes. Zero means DefaultPull, less than zero as fast as it goes.
	Pull time.Duration
	// Keys is the folder of the client key and of known_hosts, for hosts that share them; "" is one of the host's own.
	Keys string
}

// Host is a running host with the shop on it. Its methods may be called from any goroutine.
type Host struct {
	Host       runbook.Host  // "deploy@127.0.0.1:PORT"
	Inside     *standin.Host // what is on it, to be changed as somebody else would
	KeyFile    string        // the only key that it takes
	KnownHosts string        // the file that knows its host key
	HealthURL  string        // the api's, on a loopback port that stays the same

	folder  string // of the keys; "" where they are shared
	server  *sshtest.Server
	api     *api
	forget  func() bool // stops waiting for the context's end
	closing sync.Once
	closed  error
}

// Start makes a host on which V2 runs and its api answers 503. The host is closed when ctx ends; Close is then still to
// be called, for it waits until that is done.
func Start(ctx context.Context, options Options) (*Host, error) {
	h := &Host{forget: func() bool { return true }}
	err := ctx.Err()
	if err == nil {
		err = h.start(options)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the demo's host: %w", err), h.Close())
	}
	h.forget = context.AfterFunc(ctx, func() { _ = h.close() }) // Close tells the error
	return h, nil
}

func (h *Host) start(options Options) (err error) {
	keys := options.Keys
	if keys == "" {
		if h.folder, err = os.MkdirTemp("", "rollbackbot-demo-"); err != nil {
			return err
		}
		keys = h.folder
	}
	lab := &standin.Lab{}
	inside := func(app runbook.App, host runbook.Host) *standin.Host {
		app.Name = shop // whatever the bot calls it
		return lab.On(app, host).(*standin.Host)
	}
	if h.server, err = sshtest.Start(sshtest.Options{Dir: keys, Handler: overssh.Handler(inside), NoLines: true}); err != nil {
		return err
	}
	h.Host, h.KeyFile, h.KnownHosts = h.server.Host(), h.server.KeyFile, h.server.KnownHostsFile
	h.Inside = lab.Add(h.App(), h.Host, nil)
	h.Inside.Set(func(s *standin.State) { furnish(s, options) })
	if h.api, err = startAPI(h.Inside, max(0, cmp.Or(options.Start, DefaultStart))/2); err != nil {
		return err
	}
	h.HealthURL = h.api.url()
	return nil
}

const (
	shop        = "shop"
	dir         = "/opt/shop"                     // where the runbook says /opt/your-app
	composeFile = "infra/docker-compose.prod.yml" // as in step 2 of the runbook
)

// App is the shop as the bot is told of it, but for its waiting times (the budget of its health checks, the window of
// its error rate, how long until a release is known-good), which are the caller's to choose.
func (h *Host) App() runbook.App {
	a := runbook.App{
		Name: shop, Hosts: []runbook.Host{h.Host}, Dir: dir, ComposeFiles: []string{composeFile},
		Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
		Health: runbook.Health{URLs: []string{h.HealthURL}},
	}
	for _, service := range services {
		a.Services = append(a.Services, runbook.Service{Name: service, Variable: strings.ToUpper(service) + "_IMAGE"})
	}
	return a
}

// furnish puts v2 on the host, two workers of it; and v1's images but for the web's: somebody removed that one, so that a
// rollback has an image to fetch.
func furnish(s *standin.State, options Options) {
	s.PinsFile = dir + "/infra/.env"
	s.Each, s.Takes = max(0, cmp.Or(options.Start, DefaultStart)), max(0, cmp.Or(options.Pull, DefaultPull))
	if options.Start < 0 {
		s.Latency = 0
	}
	s.Warnings = []string{"migrate takes API_IMAGE too; it is not one of the services that the rollback replaces"}
	for _, r := range Releases() {
		for service, image := range r.Images {
			s.Registry[image], s.Here[image] = true, true
			s.Labels[image] = runbook.Label{Version: r.Version, Revision: r.Commit}
			s.Sizes[image] = 3_593_350
			s.Prints[image] = service + " " + r.Version + ": ready\n"
		}
	}
	s.Prints[imagesOf(V1)["api"]] = "api v1: listening\n"
	s.Prints[imagesOf(V2)["api"]] = "api v2: listening\nGET /health 503: pq: column orders.discount does not exist\n"
	delete(s.Here, imagesOf(V1)["web"])
	s.Scale["worker"] = 2
	s.Containers["worker"] = make([]standin.Container, 2) // a deployment makes as many as there are
	s.Deploy(imagesOf(V2))
	s.Containers["db"] = []standin.Container{{Tag: "postgres:16-alpine", Made: time.Now(), Since: time.Now()}}
	s.Containers["migrate"] = []standin.Container{{Image: imagesOf(V2)["api"], State: "exited"}}
}

// Close ends the host. Closing twice is closing once, with the same answer.
func (h *Host) Close() error {
	h.forget()
	return h.close()
}

func (h *Host) close() error {
	h.closing.Do(func() { h.closed = h.end() })
	return h.closed
}

func (h *Host) end() (err error) {
	if h.server != nil {
		err = h.server.Close()
	}
	if h.api != nil {
		err = errors.Join(err, h.api.close())
	}
	if h.folder != "" {
		err = errors.Join(err, os.RemoveAll(h.folder))
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
