package main_test

import (
	"os"
	"testing"

	"rollbackbot/internal/demohost"
	"rollbackbot/internal/migration"
)

// The host in process runs this very binary under the name of docker, and as its containers; the judge of migration files
// runs it too.
func TestMain(m *testing.M) {
	if demohost.IsStandIn() {
		os.Exit(demohost.RunStandIn())
	}
	if migration.IsChild(os.Args) {
		os.Exit(migration.RunChild())
	}
	os.Exit(m.Run())
}
