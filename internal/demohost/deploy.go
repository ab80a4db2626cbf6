package demohost

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	pinsfile "rollbackbot/internal/compose/dotenv"
	"rollbackbot/runbook"
)

// Images gives a version's images by service; nil for a version that Releases doesn't name.
func (h *Host) Images(version string) map[string]runbook.Image {
	r, _ := releaseOf(version)
	return r.Images
}

// Deploy puts a version on the host as CI would by hand: images fetched, pins written, the three services brought up.
// It knows nothing of a rollback that may be under way. An error with docker's words when one of its commands fails.
func (h *Host) Deploy(ctx context.Context, version string) error {
	r, ok := releaseOf(version)
	if !ok {
		return fmt.Errorf("deploy: there is no version %q", version)
	}
	for _, service := range services {
		if err := h.docker(ctx, "pull", r.Images[service].String()); err != nil {
			return err
		}
	}
	if err := h.pin(version); err != nil {
		return err
	}
	return h.up(ctx, services...)
}

// pin writes a version's images into the environment file.
func (h *Host) pin(version string) error {
	content, err := os.ReadFile(h.folder.envFile())
	if err != nil {
		return err
	}
	var pins []runbook.Pin
	for _, service := range services {
		pins = append(pins, runbook.Pin{Variable: variable(service), Value: h.Images(version)[service].String()})
	}
	return os.WriteFile(h.folder.envFile(), pinsfile.EditPins(content, pins), 0o600)
}

func (h *Host) up(ctx context.Context, names ...string) error {
	words := []string{"compose", "-f", composeFileName, "up", "-d", "--no-deps", "--pull", "never"}
	return h.docker(ctx, append(words, names...)...)
}

// docker runs the stand-in on the host without going through SSH.
func (h *Host) docker(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(h.folder.bin(), dockerName), args...)
	cmd.Dir = h.folder.app()
	cmd.Env = append(h.folder.environment(), "PATH="+h.path(), "HOME="+h.folder.home())
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(output.String()))
	}
	return nil
}
