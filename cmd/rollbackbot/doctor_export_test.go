package main

import (
	"context"
	"time"

	"rollbackbot/config"
	"rollbackbot/internal/github"
	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// Examination is a checkup with parts that a test chooses.
type Examination struct {
	Config   config.Config
	Store    *journal.Store
	NoStore  error
	Hosts    runbook.Hosts
	Health   runbook.HealthChecker
	Rates    runbook.ErrorRateChecker
	Hub      *github.Client
	Disk     func(string) string
	Observed func(app string) time.Time
}

// Run gives what it finds.
func (e Examination) Run(ctx context.Context) []runbook.Finding {
	c := checkup{cfg: e.Config, store: e.Store, noStore: e.NoStore, hosts: e.Hosts, health: e.Health, rates: e.Rates, hub: e.Hub, disk: e.Disk, observed: e.Observed}
	return preflight.Checkup(ctx, preflight.CheckupTimeout, c.checks())
}

// Run is the program as a value.
var Run = run
