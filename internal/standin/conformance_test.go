package standin_test

import (
	"testing"
	"testing/synctest"

	"rollbackbot/runbook/hosttest"
)

// The stand-in keeps every promise of the port. In a bubble it takes no time.
func TestConformance(t *testing.T) {
	hosttest.Run(t, func(*testing.T) hosttest.Bench { return newBench() }, synctest.Test)
}
