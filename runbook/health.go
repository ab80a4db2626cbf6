package runbook

import (
	"context"
	"strings"
)

// HealthChecker asks a health endpoint once.
type HealthChecker interface {
	// Check makes one GET on a new connection, following no redirect, within 5 s, and gives the HTTP status.
	// caFile is a PEM file of a private CA; empty means the system's. An error means that there was no HTTP answer.
	Check(ctx context.Context, url, caFile string) (status int, err error)
}

// HostURLs are the health URLs that speak of one host.
func HostURLs(a App, host Host) []string {
	var urls []string
	for _, url := range a.Health.URLs {
		if strings.Contains(url, "{host}") {
			urls = append(urls, strings.ReplaceAll(url, "{host}", host.Name()))
		}
	}
	return urls
}

// AllURLs are the health URLs of every host of the plan, and those that speak of all hosts together.
func AllURLs(a App, p Plan) []string {
	var urls []string
	for _, url := range a.Health.URLs {
		if !strings.Contains(url, "{host}") {
			urls = append(urls, url)
		}
	}
	for _, h := range p.Hosts {
		urls = append(urls, HostURLs(a, h.Host)...)
	}
	return Unique(urls)
}
