// Command app is what the containers of the end-to-end tests run: one static binary, the role as its argument, the
// behaviour from the image's environment. It is alone in its image: no shell, no C library, no files.
//
//	app api|web          serve HTTP on port 8080
//	app worker|db        idle until stopped
//	app migrate          bring the schema in /schema to SCHEMA, or refuse a newer one
//	app healthcheck      status 0 if the api beside it answers 200
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the program; its result is the exit status. Every role ends at once on SIGTERM, as the first process of a
// container must by itself: docker would otherwise wait 10 s and kill it.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := play(ctx, args); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 1
	}
	return 0
}

func play(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("one role expected, got %q", args)
	}
	switch args[0] {
	case "api":
		return api(ctx, os.Getenv("BEHAVIOUR"))
	case "web":
		return serve(ctx, page())
	case "worker", "db":
		fmt.Println(args[0], os.Getenv("VERSION"), "idles")
		<-ctx.Done()
		return nil
	case "migrate":
		return migrate("/schema/version", os.Getenv("SCHEMA"))
	case "healthcheck":
		return healthcheck("http://127.0.0.1" + port + "/health")
	}
	return fmt.Errorf("no role %q", args[0])
}
