package runbook_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

func TestTwoReplicas_TellOnceOnSQLite(t *testing.T) {
	runbook.TellTwice(t, func(t *testing.T) runbook.Store { return open(t, sqliteURL(t)) })
}

func TestTwoReplicas_TellOnceOnPostgreSQL(t *testing.T) {
	database := parts.PostgreSQL(t)
	var schemas atomic.Int64
	runbook.TellTwice(t, func(t *testing.T) runbook.Store {
		return open(t, newSchema(t, database, fmt.Sprintf("twice_%d", schemas.Add(1))))
	})
}
