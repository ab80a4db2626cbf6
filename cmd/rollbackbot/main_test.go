package main_test

import (
	"os"
	"testing"

	"rollbackbot/internal/demohost"
)

// The host in process runs this very binary under the name of docker, and as its containers.
func TestMain(m *testing.M) {
	if demohost.IsStandIn() {
		os.Exit(demohost.RunStandIn())
	}
	os.Exit(m.Run())
}
