package journal

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// serverError is what PostgreSQL or the way to it says, in words with a remedy.
type serverError struct {
	where string // the journal
	what  string
	err   error
}

// Error is one line: pgx writes a line for every address that it tried.
func (e *serverError) Error() string {
	return fmt.Sprintf("the journal %s: %s: %s", e.where, e.what, strings.Join(strings.Fields(e.err.Error()), " "))
}

func (e *serverError) Unwrap() error { return e.err }

func (p *postgreSQL) explain(err error) error {
	var explained *serverError
	if err == nil || errors.As(err, &explained) {
		return err
	}
	what := p.what(err)
	if what == "" {
		return err
	}
	return &serverError{where: p.name, what: what, err: err}
}

func (p *postgreSQL) fault(err error) bool {
	var explained *serverError
	return errors.As(err, &explained) || p.what(err) != ""
}

// what says in words what err is; "" for what is no error of the database's.
func (p *postgreSQL) what(err error) string {
	var said *pgconn.PgError
	var connect *pgconn.ConnectError
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case errors.As(err, &said):
		return p.whatItSaid(said, errors.As(err, &connect))
	case errors.As(err, &certificate):
		return "the server's certificate is not trusted: give the right sslrootcert and host in ROLLBACK_DATABASE_URL"
	case errors.As(err, &name):
		return "no server has this name: see the host in ROLLBACK_DATABASE_URL"
	case errors.As(err, &connect):
		return "the server can't be reached: see that it runs, that host, port and sslmode in ROLLBACK_DATABASE_URL are right, and that nothing between keeps the connection off"
	case isLost(err):
		return "the connection was lost: see whether the server still runs"
	}
	return ""
}

// isLost tells whether a connection has ended.
func isLost(err error) bool {
	var network net.Error
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, pgconn.ErrConnClosed, driver.ErrBadConn, sql.ErrConnDone} {
		if errors.Is(err, lost) {
			return true
		}
	}
	// A context that ended is a net.Error too, and says so by itself.
	return errors.As(err, &network) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// whatItSaid goes by SQLSTATE, https://www.postgresql.org/docs/15/errcodes-appendix.html. connecting tells that it
// did not let us in.
func (p *postgreSQL) whatItSaid(said *pgconn.PgError, connecting bool) string {
	switch said.Code {
	case "28P01", "28000":
		return "the server does not let this user in: see user and password in ROLLBACK_DATABASE_URL, and the server's pg_hba.conf"
	case "3D000":
		return "there is no such database: create it (CREATE DATABASE), or correct its name in ROLLBACK_DATABASE_URL"
	case "42501":
		return fmt.Sprintf("permission denied: make %s the owner of the database (ALTER DATABASE … OWNER TO), or GRANT what is missing", p.config.User)
	case "3F000":
		return "the schema of the search_path is not there: create it (CREATE SCHEMA)"
	case "25006":
		return "the database is read-only, or a standby: point ROLLBACK_DATABASE_URL at the primary (several hosts and target_session_attrs=read-write find it)"
	case "53100":
		return "the server's disk is full: make room"
	case "53300":
		return "the server has no connection left: raise max_connections, or see who has them all"
	case "57P03":
		return "the server is starting or stopping: see its log if that goes on"
	case "57P01", "57P02", "25P03":
		return "the server ended the connection: see its log"
	case "57014":
		return "a statement took too long: see what keeps the server busy"
	case "55P03":
		return "another session has kept the journal locked: see pg_stat_activity for one that is idle in transaction"
	case "42P01":
		return "a table of the journal is gone: stop every process that uses it and restore it from a backup"
	case "58030":
		return "the server's disk reports an error: see the server's log"
	case "XX001", "XX002":
		return "the database is damaged: stop every process that uses it and restore it from a backup"
	}
	if connecting && strings.HasPrefix(said.Code, "08") {
		return "what is there does not take our session: a pooler such as PgBouncer can't be in between, connect to PostgreSQL itself"
	}
	return "the server reports an error"
}

// busy: PostgreSQL waits where it has to.
func (p *postgreSQL) busy(error) bool { return false }

// uncertain: a COMMIT that the server refused is rolled back. A server that ended the connection, or a connection that
// ended by itself, may have come after the commit.
//
// pgconn.SafeToRetry is no help: where the connection ends before the answer to a simple query, such as COMMIT, pgx 5.12
// gives "conn closed", which it calls safe although the query was sent.
func (p *postgreSQL) uncertain(err error) bool {
	var said *pgconn.PgError
	switch {
	case errors.As(err, &said):
		const unknownResolution = "08007"
		return said.Severity != "ERROR" && said.SeverityUnlocalized != "ERROR" || said.Code == unknownResolution
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return false
	}
	// These alone, unwrapped, are database/sql's: the context ended before it asked the driver to commit.
	return err != context.Canceled && err != context.DeadlineExceeded && err != sql.ErrTxDone
}
