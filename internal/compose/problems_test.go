package compose

import (
	"testing"

	"rollbackbot/runbook"
)

// What can't be seen is not gone: a host that is away may have it, and a registry that doesn't answer too.
func TestRegistryAnswerOf_UnseenIsNotGone(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer result
		want   runbook.RegistryAnswer
	}{
		{"there", result{stdout: []byte("{}")}, runbook.RegistryHas},
		{"not there", result{status: 1, stderr: []byte("no such manifest: ghcr.io/acme/shop/api@sha256:1")}, runbook.RegistryLacks},
		{"not there either", result{status: 1, stderr: []byte("manifest unknown")}, runbook.RegistryLacks},
		{"not there, as docker prints what it can't read", result{status: 1, stderr: []byte(`unknown: {"errors":[{"code":"MANIFEST_UNKNOWN","message":"Unknown manifest"}]}`)}, runbook.RegistryLacks},
		{"no login", result{status: 1, stderr: []byte("unauthorized: authentication required")}, runbook.RegistrySilent},
		{"down", result{status: 1, stderr: []byte("dial tcp: lookup ghcr.io: no such host")}, runbook.RegistrySilent},
		{"rubbish", result{status: 125, stderr: []byte("\x00<html>404 not found</html>")}, runbook.RegistrySilent},
	} {
		if got := registryAnswerOf(c.answer); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
