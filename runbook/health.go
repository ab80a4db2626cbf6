package runbook

import "context"

// HealthChecker asks a health endpoint once.
type HealthChecker interface {
	// Check makes one GET on a new connection, following no redirect, within 5 s, and gives the HTTP status.
	// caFile is a PEM file of a private CA; empty means the system's. An error means that there was no HTTP answer.
	Check(ctx context.Context, url, caFile string) (status int, err error)
}
