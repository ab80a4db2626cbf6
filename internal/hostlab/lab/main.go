// Command lab starts real hosts and keeps them until Ctrl-C, as root:
//
//	go run ./internal/hostlab/lab trixie sid
//
// It prints how to log in on each, and the address of a registry that they all reach.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"rollbackbot/internal/hostlab"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(generations []string) (err error) {
	if len(generations) == 0 {
		return errors.New("say which generations, as in: lab trixie sid")
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	lab, err := hostlab.NewLab()
	if err != nil {
		return err
	}
	defer func() {
		if problem := lab.Close(); err == nil {
			err = problem
		}
	}()
	fmt.Printf("registry without TLS: %s\n", lab.Registry())
	for _, version := range []struct {
		name string
		sick bool
		form hostlab.Form
	}{{"v1", false, hostlab.Docker}, {"v2", true, hostlab.Docker}, {"v3", false, hostlab.OCI}} {
		release, err := lab.PushRelease(version.name, version.sick, version.form)
		if err != nil {
			return err
		}
		for _, service := range hostlab.Services() {
			fmt.Printf("%s of %s: %s\n", service, version.name, release[service])
		}
	}
	for _, g := range generations {
		h, err := lab.Boot(hostlab.Generation(g))
		if err != nil {
			return err
		}
		fmt.Printf("%s: ssh -F none -i %s -o UserKnownHostsFile=%s deploy@%s   (root, too)\n", g, h.KeyFile(), h.KnownHosts(), h.Addr())
	}
	<-ended
	return nil
}
