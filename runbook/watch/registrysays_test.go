package watch

import (
	"testing"

	"rollbackbot/runbook"
)

// One host that has read an image is right about the registry.
func TestRegistrySays(t *testing.T) {
	image := runbook.Image{Name: "ghcr.io/acme/shop/api"}
	if got := registrySays([]map[runbook.Image]runbook.RegistryAnswer{{image: runbook.RegistryLacks}, {image: runbook.RegistryHas}}, image); got != runbook.RegistryHas {
		t.Errorf("one host read its manifest and it counts as %d", got)
	}
}
