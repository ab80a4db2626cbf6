package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// port is where api and web listen inside their container.
const port = ":8080"

// api serves /health, well or not as the image says, or crashes as a release with a broken start does.
func api(ctx context.Context, behaviour string) error {
	mux := http.NewServeMux()
	switch behaviour {
	case "good":
		mux.HandleFunc("/health", health(http.StatusOK))
	case "sick":
		mux.HandleFunc("/health", health(http.StatusServiceUnavailable))
	case "crashing":
		return errors.New("the configuration is missing a setting that this release needs")
	default:
		return fmt.Errorf("no behaviour %q", behaviour)
	}
	return serve(ctx, mux)
}

// health answers the status and, as text, the version that runs.
func health(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintln(w, os.Getenv("VERSION"))
	}
}

func page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "shop %s\n", os.Getenv("VERSION"))
	})
}

// serve answers until the context ends. Connections under way are cut then: a rollback is not to wait for them.
func serve(ctx context.Context, handler http.Handler) error {
	server := &http.Server{Addr: port, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func healthcheck(url string) error {
	client := &http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}
