package runbook

import (
	"testing"
)

// One host that has read an image is right about the registry.
func TestRegistrySays(t *testing.T) {
	image := Image{Name: "ghcr.io/acme/shop/api"}
	if got := registrySays([]map[Image]RegistryAnswer{{image: RegistryLacks}, {image: RegistryHas}}, image); got != RegistryHas {
		t.Errorf("one host read its manifest and it counts as %d", got)
	}
}
