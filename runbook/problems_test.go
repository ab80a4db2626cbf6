package runbook

import (
	"testing"
)

// What can't be seen is not gone: a host that is away may have it, and a registry that doesn't answer too.
func TestRegistryAnswerOf_UnseenIsNotGone(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer result
		want   RegistryAnswer
	}{
		{"there", result{stdout: []byte("{}")}, RegistryHas},
		{"not there", result{status: 1, stderr: []byte("no such manifest: ghcr.io/acme/shop/api@sha256:1")}, RegistryLacks},
		{"not there either", result{status: 1, stderr: []byte("manifest unknown")}, RegistryLacks},
		{"no login", result{status: 1, stderr: []byte("unauthorized: authentication required")}, RegistrySilent},
		{"down", result{status: 1, stderr: []byte("dial tcp: lookup ghcr.io: no such host")}, RegistrySilent},
		{"rubbish", result{status: 125, stderr: []byte("\x00<html>404 not found</html>")}, RegistrySilent},
	} {
		if got := registryAnswerOf(c.answer); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
