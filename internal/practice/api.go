package practice

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// api answers on the api's published port for as long as the host lives.
type api struct {
	inside   *standin.Host
	opens    time.Duration // how long a program takes from its start until it listens
	sick     atomic.Bool
	listener net.Listener
	server   http.Server
	ended    chan struct{}
}

func startAPI(inside *standin.Host, opens time.Duration) (*api, error) {
	a := &api{inside: inside, opens: opens, ended: make(chan struct{})}
	var err error
	if a.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", a.health)
	a.server = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	a.server.SetKeepAlivesEnabled(false) // a program that is replaced ends its connections
	go func() {
		defer close(a.ended)
		_ = a.server.Serve(a.listener) // close ends it
	}()
	return a, nil
}

func (a *api) url() string { return "http://" + a.listener.Addr().String() + "/health" }

func (a *api) close() error {
	err := a.server.Close()
	<-a.ended
	return err
}

// health answers 503 in the broken release, whose query names a column that its migration has dropped; and not at all where
// no api listens.
func (a *api) health(w http.ResponseWriter, _ *http.Request) {
	version, listens := a.listening()
	if !listens {
		panic(http.ErrAbortHandler) // the connection is closed without a word
	}
	why := ""
	switch {
	case a.sick.Load():
		why = "the database doesn't answer"
	case version == V2:
		why = "column orders.discount does not exist"
	}
	w.Header().Set("Content-Type", "application/json")
	if why != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"status":"unavailable","version":%q,"error":%q}`+"\n", version, why)
		return
	}
	fmt.Fprintf(w, `{"status":"ok","version":%q}`+"\n", version)
}

// listening is the version of the api that listens.
func (a *api) listening() (version string, listens bool) {
	a.inside.Set(func(s *standin.State) {
		for _, c := range s.Containers["api"] {
			if c.State == "" && time.Since(c.Since) >= a.opens {
				version, listens = versionOf(c.Image), true
			}
		}
	})
	return version, listens
}

// versionOf is the version that an image of the api belongs to.
func versionOf(image runbook.Image) string {
	for _, r := range Releases() {
		if r.Images["api"] == image {
			return r.Version
		}
	}
	return "unknown"
}

var errNoVersion = errors.New("there is no such version")
