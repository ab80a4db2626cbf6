package demohost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// runProgram is what runs in a container: the address where it is to listen ("" for none), and its name.
func runProgram(f folder, args []string) int {
	if len(args) < 2 {
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	listen, name, version := args[0], args[1], os.Getenv("VERSION")
	var err error
	switch name {
	case "migrate":
		say("migrate %s: the schema is up to date", version)
	case "api":
		err = serveAPI(ctx, f, listen, version)
	case "worker", "web", "db":
		say("%s %s: ready", name, version)
		<-ctx.Done()
	default:
		say("exec: %q: executable file not found in $PATH", name)
		return 127
	}
	if err != nil {
		say("%s %s: %v", name, version, err)
		return 1
	}
	return 0
}

// say writes a line to the container's log.
func say(format string, args ...any) {
	fmt.Printf("%s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), fmt.Sprintf(format, args...))
}

// serveAPI is the shop's api. It takes a while until it listens, as programs do that open a database.
func serveAPI(ctx context.Context, f folder, listen, version string) error {
	s, err := f.read()
	if err != nil {
		return err
	}
	say("api %s: opening the database", version)
	select {
	case <-time.After(s.Pace.Start / 2):
	case <-ctx.Done():
		return nil
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: apiHandler(f, version), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // whoever is being answered asks again
	defer stop()
	say("api %s: listening", version)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// apiHandler answers /health: 503 in the broken release, whose query names a column that its migration has dropped.
func apiHandler(f folder, version string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if f.isSick() {
			say("GET /health 503: dial tcp: lookup db: no such host")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, `{"status":"unavailable","version":%q,"error":"the database doesn't answer"}`+"\n", version)
			return
		}
		if version == V2 {
			say("GET /health 503: pq: column orders.discount does not exist")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, `{"status":"unavailable","version":%q,"error":"column orders.discount does not exist"}`+"\n", version)
			return
		}
		fmt.Fprintf(w, `{"status":"ok","version":%q}`+"\n", version)
	})
	return mux
}
