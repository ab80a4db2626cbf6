package realhost

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Registry is an OCI registry in this process, on loopback, where Docker asks for no TLS. What was pushed lives in
// memory and survives Stop.
type Registry struct {
	addr   string
	valve  *valve
	server *http.Server // nil while stopped
	served chan error   // how server ended
}

// StartRegistry starts an empty registry; it ends with the test.
func StartRegistry(tb testing.TB) *Registry {
	tb.Helper()
	r := &Registry{
		addr:  loopback(freePort(tb)),
		valve: &valve{registry: registry.New(registry.Logger(log.New(io.Discard, "", 0)))},
	}
	r.Start(tb)
	tb.Cleanup(func() { r.Stop(tb) })
	return r
}

// Addr is the registry's host and port, the first part of every reference in it.
func (r *Registry) Addr() string { return r.addr }

// Start ends an outage that Stop began. It does nothing while the registry runs.
func (r *Registry) Start(tb testing.TB) {
	tb.Helper()
	if r.server != nil {
		return
	}
	listener, err := net.Listen("tcp", r.addr)
	if err != nil {
		tb.Fatalf("start the registry: %v", err)
	}
	server := &http.Server{Handler: r.valve, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	r.server, r.served = server, served
}

// Stop is an outage: connections are cut and new ones refused. It does nothing while the registry is stopped.
func (r *Registry) Stop(tb testing.TB) {
	tb.Helper()
	if r.server == nil {
		return
	}
	if err := r.server.Close(); err != nil {
		tb.Errorf("stop the registry: %v", err)
	}
	if err := <-r.served; !errors.Is(err, http.ErrServerClosed) {
		tb.Errorf("the registry ended by itself: %v", err)
	}
	r.server = nil
}

// Digest is the "sha256:…" that the registry holds under a repository and tag, as in "shop/db" and "15".
func (r *Registry) Digest(tb testing.TB, repository, tag string) string {
	tb.Helper()
	client := &http.Client{Timeout: commandTimeout}
	answer, err := client.Head("http://" + r.addr + "/v2/" + repository + "/manifests/" + tag)
	if err != nil {
		tb.Fatalf("digest of %s:%s: %v", repository, tag, err)
	}
	if err := answer.Body.Close(); err != nil {
		tb.Fatalf("digest of %s:%s: %v", repository, tag, err)
	}
	digest := answer.Header.Get("Docker-Content-Digest")
	if answer.StatusCode != http.StatusOK || digest == "" {
		tb.Fatalf("digest of %s:%s: the registry answers %s", repository, tag, answer.Status)
	}
	return digest
}
