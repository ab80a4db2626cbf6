package main_test

import (
	"os"
	"testing"

	main "rollbackbot/cmd/rollbackbot"
	"rollbackbot/internal/migration"
)

// The judge of migration files and the demo's bot are this very binary.
func TestMain(m *testing.M) {
	if migration.IsChild(os.Args) {
		os.Exit(migration.RunChild())
	}
	if main.IsDemoBot() {
		os.Exit(main.RunDemoBot())
	}
	os.Exit(m.Run())
}
