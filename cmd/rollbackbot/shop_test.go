package main_test

import (
	"context"
	"fmt"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// shopHost is the one host of the shop.
const shopHost runbook.Host = "deploy@memory"

func shopApp() runbook.App {
	return runbook.App{
		Name: "shop", Hosts: []runbook.Host{shopHost}, Dir: "/opt/shop",
		Services:  []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "worker", Variable: "WORKER_IMAGE"}},
		Health:    runbook.Health{URLs: []string{"https://shop.example/health"}, Attempts: 12, Interval: time.Second},
		ErrorRate: runbook.ErrorRate{Window: 2 * time.Second, Query: "errors"}, VerifyAfter: time.Minute,
	}
}

// shopImages are the images of one of the shop's releases.
func shopImages(version int) map[string]runbook.Image {
	images := map[string]runbook.Image{}
	for i, s := range shopApp().Services {
		images[s.Name] = runbook.Image{Name: "ghcr.io/acme/" + s.Name, Digest: runbook.Digest(fmt.Sprintf("sha256:%064x", 16*version+i))}
	}
	return images
}

// newShop is a lab in which the shop runs its second release, which is sick; the first one is on the host, too.
func newShop() (*standin.Lab, *standin.Host) {
	lab := &standin.Lab{}
	lab.SetSick(shopImages(2)["api"], true)
	return lab, lab.Add(shopApp(), shopHost, shopImages(2), shopImages(1))
}

// noErrors is an error rate of zero, of which nothing is known of the time before: people are asked what it is.
type noErrors struct{}

var _ runbook.ErrorRateChecker = noErrors{}

func (noErrors) Now(context.Context, runbook.App) (runbook.Sample, error) {
	return runbook.Sample{At: time.Now()}, nil
}

func (noErrors) Between(context.Context, runbook.App, time.Time, time.Time, time.Duration) ([]runbook.Sample, error) {
	return nil, &runbook.NoRateError{Why: "the query gives no series for that time", Answered: true}
}
