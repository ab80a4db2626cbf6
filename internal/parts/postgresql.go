package parts

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgreSQLVariable names a PostgreSQL server to test on in place of one that is started here: the URL of a database
// of it, as a user who may create others.
const postgreSQLVariable = "ROLLBACKBOT_PARTS_POSTGRESQL"

// PostgreSQL is the URL of an empty database that is the test's own. Its server is a throw-away one that all tests of
// the process share, without fsync; it ends with the process, however that ends. ROLLBACKBOT_PARTS_POSTGRESQL names
// another server. It ends the test as missing its part where PostgreSQL's programs are not there.
func PostgreSQL(tb testing.TB) (databaseURL string) {
	tb.Helper()
	uncached()
	if server := os.Getenv(postgreSQLVariable); server != "" {
		return newDatabase(tb, server)
	}
	bin := postgreSQLFolder(tb)
	sharedServer.start.Do(func() {
		sharedServer.server, sharedServer.err = startPostgreSQL(bin, "-c fsync=off -c full_page_writes=off")
	})
	if sharedServer.err != nil {
		tb.Fatal(sharedServer.err)
	}
	return sharedServer.server.Database(tb)
}

// sharedServer is the process's server. Nothing stops it: its keeper does, once the process is gone.
var sharedServer struct {
	start  sync.Once
	server *PostgreSQLServer
	err    error
}

// StartPostgreSQL starts a server for this test alone, which may stop and freeze it, with fsync as people run it. The
// server ends with the test. It ends the test as missing its part where PostgreSQL's programs are not there.
func StartPostgreSQL(tb testing.TB) *PostgreSQLServer {
	tb.Helper()
	uncached()
	server, err := startPostgreSQL(postgreSQLFolder(tb), "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.end)
	return server
}

// Database is the URL of a new and empty database of the server, which is removed when the test ends. The URL's user
// is a superuser with a password that the server asks for.
func (s *PostgreSQLServer) Database(tb testing.TB) (databaseURL string) {
	tb.Helper()
	return newDatabase(tb, s.url())
}

// databases numbers the databases of this process, and the time keeps those of several processes on one server apart.
var databases atomic.Int64

func newDatabase(tb testing.TB, server string) string {
	tb.Helper()
	// url.Error quotes the URL, and with it a password.
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("%s is no URL", postgreSQLVariable)
	}
	name := fmt.Sprintf("rollbackbot_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), databases.Add(1))
	// template0: nobody can be connected to it, which would be in the way.
	if err := askServer(server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		tb.Fatalf("create a database for the test: %v", err)
	}
	// A server that the test stopped keeps it, until the server's own end.
	tb.Cleanup(func() { _ = askServer(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	u.Path = "/" + name
	return u.String()
}

// askServer runs one statement on a connection of its own. It is on real time, also for a test in a bubble.
func askServer(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
