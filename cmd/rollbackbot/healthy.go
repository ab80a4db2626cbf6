package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// healthyTimeout is how long a bot that lives may take to say so: above statusTimeout it would not answer at all.
const healthyTimeout = 4 * time.Second

// askHealthy asks the bot that serves at addr, host:port of this machine, whether it lives. It is for containers: the image
// has no other program that could ask.
func askHealthy(ctx context.Context, addr string) error {
	if addr == "" {
		return usage("ROLLBACK_HTTP_ADDR: it is not set, so that nothing answers; set it, as in 127.0.0.1:8080")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return usage("ROLLBACK_HTTP_ADDR: %v", err)
	}
	// Who listens on every address is asked on one.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, healthyTimeout)
	defer cancel()
	address := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/healthz"}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the bot does not answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the bot answers %s at %s", response.Status, address.String())
	}
	return nil
}
