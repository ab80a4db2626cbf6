package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"rollbackbot/internal/gate"
)

// statusServer answers whoever watches over the bot: an orchestrator, a monitor, a person with curl.
type statusServer struct {
	server *http.Server
	done   chan struct{}
}

const (
	// statusTimeout bounds every request, and so how long the database is waited for.
	statusTimeout = 5 * time.Second
	// databaseTimeout is how long the database has to answer to count as there: deliveries have as long to be stored.
	databaseTimeout = 2 * time.Second
)

// openStatus serves /healthz, /readyz, /metrics and the gate for pipelines, where ROLLBACK_HTTP_ADDR asks for one; otherwise it gives a server that serves nothing.
func (r *replica) openStatus(ctx context.Context) (*statusServer, error) {
	if r.cfg.HTTPAddr == "" {
		return &statusServer{}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", r.cfg.HTTPAddr)
	if err != nil {
		return nil, usage("ROLLBACK_HTTP_ADDR: %v: choose a free address of this machine, as in 127.0.0.1:8080", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", r.serveReady)
	mux.HandleFunc("GET /metrics", r.serveMetrics)
	(&gate.Handler{Apps: r.cfg.Apps, Journal: r.store, Token: r.cfg.HTTPToken.Reveal(), Log: component(r.log, "gate")}).Register(mux)
	s := &statusServer{done: make(chan struct{}), server: &http.Server{
		Handler: r.tally.atGate(mux), ReadTimeout: statusTimeout, WriteTimeout: statusTimeout, IdleTimeout: time.Minute,
	}}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			r.log.Error().Err(err).Msg("the HTTP server ended; the bot goes on without it")
		}
	}()
	r.log.Info().Stringer("address", listener.Addr()).Bool("gate", !r.cfg.HTTPToken.IsZero()).Msg("serving HTTP")
	return s, nil
}

func (s *statusServer) close() {
	if s.server != nil {
		_ = s.server.Close() // whoever asks at this moment gets no answer, which is one
		<-s.done
	}
}

// readiness is what /readyz tells: whether what a person types now would be heard and kept.
type readiness struct {
	Ready    bool     `json:"ready"`
	Problems []string `json:"problems,omitempty"` // why not, each with its remedy where it has one

	Listening bool      `json:"listening"` // at least one socket to Slack
	Sockets   int       `json:"sockets"`
	Since     time.Time `json:"since,omitzero"` // since when it is listening, or isn't
	Database  bool      `json:"database"`       // it answers
	Acting    bool      `json:"acting"`         // this process owns the journal; another one, or none, where it doesn't
	Version   string    `json:"version"`
}

func (r *replica) ready(ctx context.Context) readiness {
	sockets := r.listener.Socket.State()
	now := readiness{Listening: sockets.Connected, Sockets: sockets.Sockets, Since: sockets.Since, Version: version}
	if t := r.current(); t != nil {
		now.Acting = t.owner.Err() == nil
	}
	switch {
	case sockets.Problem != "":
		problem := sockets.Problem
		if sockets.Fatal() {
			problem += ": " + sockets.Remedy
		}
		now.Problems = append(now.Problems, "Slack: "+problem)
	case !sockets.Connected:
		now.Problems = append(now.Problems, "Slack: no socket listens")
	}
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	err := r.store.Ping(ctx)
	if now.Database = err == nil; err != nil {
		now.Problems = append(now.Problems, err.Error())
	}
	now.Ready = now.Listening && now.Database && !sockets.Fatal()
	return now
}

func (r *replica) serveReady(w http.ResponseWriter, request *http.Request) {
	now := r.ready(request.Context())
	w.Header().Set("Content-Type", "application/json")
	if !now.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(now) // whoever asked is gone
}
