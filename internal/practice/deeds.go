package practice

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollbackbot/internal/sshtest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// Images gives a version's images by service; nil for a version that Releases doesn't name.
func (h *Host) Images(version string) map[string]runbook.Image { return imagesOf(version) }

// Deploy puts a version on the host as CI would by hand, once nothing runs under the app's lock.
func (h *Host) Deploy(ctx context.Context, version string) error {
	images := imagesOf(version)
	if images == nil {
		return fmt.Errorf("deploy %s: %w", version, errNoVersion)
	}
	for !h.Inside.SetIdle(func(s *standin.State) { s.Deploy(images) }) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("deploy %s: a command still runs under the app's lock: %w", version, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// SetSick makes the api answer 503 in every version, as when its database is away, or lets it answer by itself again.
func (h *Host) SetSick(sick bool) { h.api.sick.Store(sick) }

// Link is the host's SSH server, on which a test plays what networks do.
func (h *Host) Link() *sshtest.Server { return h.server }

// Running gives the images that each service's living containers were made from, one for each container.
func (h *Host) Running() map[string][]runbook.Image {
	running := map[string][]runbook.Image{}
	h.Inside.Set(func(s *standin.State) {
		for _, service := range services {
			for _, c := range s.Containers[service] {
				if c.State == "" {
					running[service] = append(running[service], c.Image)
				}
			}
		}
	})
	return running
}

// Pins gives what the pins file names for each service.
func (h *Host) Pins() map[string]string {
	pins := map[string]string{}
	h.Inside.Set(func(s *standin.State) {
		for _, service := range h.App().Services {
			pins[service.Name] = s.Pins[service.Variable]
		}
	})
	return pins
}

// Tidy removes those of a version's images from the host that no container is made from, as people do who need room: the
// next rollback has to fetch them.
func (h *Host) Tidy(version string) {
	h.Inside.Set(func(s *standin.State) {
		for service, image := range imagesOf(version) {
			if !slices.ContainsFunc(s.Containers[service], func(c standin.Container) bool { return c.Image == image }) {
				delete(s.Here, image)
			}
		}
	})
}
