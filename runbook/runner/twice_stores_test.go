package runner_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook/runner"
)

func TestTwoReplicas_TellOnceOnSQLite(t *testing.T) {
	runner.TellTwice(t, func(t *testing.T) runbooktest.Store { return open(t, sqliteURL(t)) })
}

func TestTwoReplicas_TellOnceOnPostgreSQL(t *testing.T) {
	database := parts.PostgreSQL(t)
	var schemas atomic.Int64
	runner.TellTwice(t, func(t *testing.T) runbooktest.Store {
		return open(t, newSchema(t, database, fmt.Sprintf("twice_%d", schemas.Add(1))))
	})
}
