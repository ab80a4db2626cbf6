package main_test

import (
	"os"
	"testing"

	main "rollbackbot/cmd/rollbackbot"
	"rollbackbot/internal/demohost"
	"rollbackbot/internal/migration"
)

// The host in process runs this very binary under the name of docker, and as its containers; the judge of migration files
// and the demo's bot are this binary too.
func TestMain(m *testing.M) {
	if demohost.IsStandIn() {
		os.Exit(demohost.RunStandIn())
	}
	if migration.IsChild(os.Args) {
		os.Exit(migration.RunChild())
	}
	if main.IsDemoBot() {
		os.Exit(main.RunDemoBot())
	}
	os.Exit(m.Run())
}
