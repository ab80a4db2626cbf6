package journal

import (
	"context"
	"database/sql"
	"time"
)

// dialect is all that differs between the databases that a journal can be in. The statements do not.
type dialect interface {
	// String names the database in messages, without a password.
	String() string
	// here is where the database keeps the journal: "in this file". elsewhere is what else the URL could name.
	here() string
	elsewhere() string
	// tables lists the tables that stand where the journal's are or would be.
	tables(ctx context.Context, tx *sql.Tx) ([]string, error)
	// lockSchema waits until no other process upgrades the schema, and keeps them out until the transaction ends.
	lockSchema(ctx context.Context, tx *sql.Tx) error
	// writable proves that the journal can be written; the transaction is rolled back.
	writable(ctx context.Context, tx *sql.Tx) error
	// announce tells other processes, once the transaction has committed, that the inbox has something new.
	announce(ctx context.Context, tx *sql.Tx) error
	// explain puts what the database says into words with a remedy. Other errors pass as they are.
	explain(err error) error
	// fault tells whether err is the database's own, or that of the way to it.
	fault(err error) bool
	// busy tells whether a transaction could not begin because of another process, and may be begun again.
	busy(err error) bool
	// uncertain tells whether a COMMIT that gave err may have written nevertheless.
	uncertain(err error) bool
	// candidate is this process as one that would own the journal.
	candidate() candidate
	// replicas is how many processes own the journal or stand by for it; 0 before anybody has asked.
	replicas() int
}

// opened is what opening a database gives.
type opened struct {
	dialect dialect
	writer  *sql.DB // writes wait for a connection here, in turn
	reader  *sql.DB
	writes  *sql.TxOptions
	// there says why what is open is not where the URL says any more; nil: that can't happen.
	there func() error
	// patience is how long one transaction may take in all, and upgrades how long one that upgrades the schema may.
	// A database that answers at all is done long before; one that has stalled must become an error.
	patience, upgrades time.Duration
}
