package runbooktest

import (
	"fmt"

	"rollbackbot/runbook"
)

func Image(service string, version int) runbook.Image {
	return runbook.Image{Name: "ghcr.io/acme/shop/" + service, Digest: runbook.Digest("sha256:" + fmt.Sprintf("%s%060d", hexOf(service), version))}
}

func hexOf(s string) string { return fmt.Sprintf("%x", s[:2]) }

func Release(version int) map[string]runbook.Image {
	return map[string]runbook.Image{"api": Image("api", version), "worker": Image("worker", version), "web": Image("web", version)}
}
