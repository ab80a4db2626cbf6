package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// connectTimeout is how long one server may take to let us in, unless the URL says otherwise (connect_timeout).
	connectTimeout = 5 * time.Second
	// sessions is how many connections a process has at most to write, and as many to read; one more is for the
	// ownership. Appends to one app and deliveries queue up for a lock anyway, and PostgreSQL's default allows 100
	// connections to all of its clients together.
	sessions = 4
	// idleTime closes connections that nobody has used for so long.
	idleTime = time.Minute
	// upgradePatience is how long an upgrade of the schema may take, its wait for another process's included.
	upgradePatience = 2 * time.Minute
)

// sessionDefaults are the settings of every session, unless the URL gives others: a database that has stalled becomes
// an error here before our own patience ends, and a transaction that lost its other end lets go of its locks.
// Times are in milliseconds. https://www.postgresql.org/docs/15/runtime-config-client.html
var sessionDefaults = map[string]string{
	"application_name":                    "rollbackbot",
	"statement_timeout":                   "10000",
	"lock_timeout":                        "5000",
	"idle_in_transaction_session_timeout": "10000",
}

// postgreSQLForm is how a URL is written.
const postgreSQLForm = "postgres://USER:PASSWORD@HOST:5432/DATABASE"

// postgreSQL is a journal in a PostgreSQL database, in the first schema of the user's search path.
type postgreSQL struct {
	config    *pgx.ConnConfig
	name      string
	leaseTime time.Duration
	processes atomic.Int64 // that own the journal or stand by, as they were last counted
}

var _ dialect = (*postgreSQL)(nil)

// openPostgreSQL prepares connections to the database of the URL; nothing connects yet.
func openPostgreSQL(url string) (opened, error) {
	p, err := parsePostgreSQL(url)
	if err != nil {
		return opened{}, err
	}
	return opened{
		dialect: p, writer: p.pool(), reader: p.pool(),
		// Whatever the database's default is: an append relies on seeing what was committed while it waited for its lock.
		writes:   &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		patience: patience, upgrades: upgradePatience,
	}, nil
}

// parsePostgreSQL reads the URL, and what PostgreSQL's own clients read beside it: PGPASSWORD and the like, ~/.pgpass.
// pgx masks passwords in its errors as well as it can, which is not well enough for a URL that is no URL.
func parsePostgreSQL(url string) (*postgreSQL, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, urlError(err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	for name, value := range sessionDefaults {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = value
		}
	}
	if config.Database == "" {
		config.Database = config.User // PostgreSQL's own default, said so that messages can name it
	}
	return &postgreSQL{config: config, name: nameOf(config), leaseTime: leaseTime}, nil
}

func urlError(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return fmt.Errorf("the database URL names a file that can't be read: %w", file)
	}
	return errors.New("the database URL can't be read: write " + postgreSQLForm + ", with %40 for an @ in the password, %3A for a :, %2F for a /, %25 for a %")
}

// nameOf is the database and its servers in messages.
func nameOf(config *pgx.ConnConfig) string {
	servers := []string{server(config.Host, config.Port)}
	for _, fallback := range config.Fallbacks { // other servers, and the same ones with and without TLS
		if next := server(fallback.Host, fallback.Port); !slices.Contains(servers, next) {
			servers = append(servers, next)
		}
	}
	return fmt.Sprintf("in the database %s on %s", config.Database, strings.Join(servers, ", "))
}

func server(host string, port uint16) string {
	if strings.HasPrefix(host, "/") {
		return host // a folder with a Unix socket
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// pool is a few connections.
func (p *postgreSQL) pool() *sql.DB {
	pool := stdlib.OpenDB(*p.config, stdlib.OptionAfterConnect(durable))
	pool.SetMaxOpenConns(sessions)
	pool.SetMaxIdleConns(sessions)
	pool.SetConnMaxIdleTime(idleTime)
	return pool
}

// durable sees to it that a commit is on disk when it is reported, also where the database's default says that it need
// not be. A stronger setting stays.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

func (p *postgreSQL) String() string    { return p.name }
func (p *postgreSQL) here() string      { return "in this database" }
func (p *postgreSQL) elsewhere() string { return "a database of its own" }

func (p *postgreSQL) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	return queryTexts(ctx, tx, `SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema() ORDER BY tablename`)
}

// The first halves of the keys of our advisory locks: letters, so that they are ours. The second half is the schema,
// since several may have a journal; the database is part of the key by itself.
const (
	schemaLock = 0x72_62_73_63 // "rbsc"
	ownerLock  = 0x72_62_6f_77 // "rbow"
	// schemaKey is the second half, in SQL.
	schemaKey = `hashtext(COALESCE(current_schema(), ''))`
)

// lockSchema waits for as long as an upgrade may take, instead of the session's timeouts.
func (p *postgreSQL) lockSchema(ctx context.Context, tx *sql.Tx) error {
	wait := strconv.FormatInt(upgradePatience.Milliseconds(), 10)
	_, err := tx.ExecContext(ctx, `SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true)`, wait)
	if err == nil {
		_, err = tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1::int, `+schemaKey+`)`, schemaLock)
	}
	return err
}

// inboxChannel is where PostgreSQL tells that an inbox has something new; the payload is the schema that it is in.
// https://www.postgresql.org/docs/15/sql-notify.html
const inboxChannel = "rollbackbot_inbox"

func (p *postgreSQL) announce(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_notify($1, COALESCE(current_schema(), ''))`, inboxChannel)
	return err
}

// missingPrivileges asks which of the privileges that the statements need the user does not have.
const missingPrivileges = `SELECT needed.privilege || ' on ' || needed.name FROM (VALUES
	('apps', 'SELECT'), ('apps', 'INSERT'), ('apps', 'UPDATE'), ('events', 'SELECT'), ('events', 'INSERT'),
	('rollbacks', 'SELECT'), ('rollbacks', 'INSERT'), ('open_rollbacks', 'SELECT'), ('open_rollbacks', 'INSERT'),
	('open_rollbacks', 'DELETE'), ('inbox', 'SELECT'), ('inbox', 'INSERT'), ('inbox', 'UPDATE'),
	('inbox_places', 'SELECT'), ('inbox_places', 'UPDATE'), ('ownership', 'SELECT'), ('ownership', 'UPDATE')
	) AS needed (name, privilege) WHERE NOT has_table_privilege(needed.name, needed.privilege) ORDER BY 1`

// writable asks for the privileges, and writes a row as it is for everything else that may be in the way: a standby, a
// database that is read-only.
func (p *postgreSQL) writable(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE inbox_places SET taken = taken`); err != nil {
		return err
	}
	missing, err := queryTexts(ctx, tx, missingPrivileges)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the user %s may not do all that a journal needs: GRANT %s", p.config.User, strings.Join(missing, ", "))
	}
	return err
}

// processName is what this process calls itself to PostgreSQL where it owns a journal, so that others can say who does.
// PostgreSQL keeps 63 bytes of it.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return fmt.Sprintf("%s%d on %s", processPrefix, os.Getpid(), host)
}

const processPrefix = "rollbackbot "

// parseProcessName reads processName; zero values where it is none.
func parseProcessName(name string) (pid int, host string) {
	rest, ours := strings.CutPrefix(name, processPrefix)
	number, host, found := strings.Cut(rest, " on ")
	pid, err := strconv.Atoi(number)
	if !ours || !found || err != nil || pid < 0 {
		return 0, ""
	}
	return pid, host
}
