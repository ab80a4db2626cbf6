package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// changed is the URL with other parts.
func changed(t *testing.T, database string, change func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

// databaseName is the database of a URL, as SQL names it.
func databaseName(t *testing.T, database string) (name string) {
	t.Helper()
	changed(t, database, func(u *url.URL) { name = strings.TrimPrefix(u.Path, "/") })
	return name
}

// noSecret fails the test where an error shows the URL's password.
func noSecret(t *testing.T, err error, database string) {
	t.Helper()
	changed(t, database, func(u *url.URL) {
		if secret, _ := u.User.Password(); err != nil && secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the password: %v", err)
		}
	})
}

func TestPostgreSQL_SaysWhatIsWrong(t *testing.T) {
	database := parts.PostgreSQL(t)
	admin := open(t, database)
	user := "bot_" + databaseName(t, database)
	mustExec(t, admin, `CREATE ROLE `+user+` LOGIN PASSWORD 'hunter2'`)
	t.Cleanup(func() { mustExec(t, admin, `DROP OWNED BY `+user); mustExec(t, admin, `DROP ROLE `+user) })
	for name, c := range map[string]struct {
		change func(u *url.URL)
		want   []string
	}{
		"password": {func(u *url.URL) { u.User = url.UserPassword(user, "hunter3") }, []string{"does not let this user in", "password authentication failed"}},
		"user":     {func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter3") }, []string{"does not let this user in"}},
		"database": {func(u *url.URL) { u.Path = "/missing" }, []string{"there is no such database", "CREATE DATABASE", "in the database missing on 127.0.0.1:"}},
		"port":     {func(u *url.URL) { u.Host = "127.0.0.1:1" }, []string{"the server can't be reached", "on 127.0.0.1:1:", "connection refused"}},
		"host":     {func(u *url.URL) { u.Host = "db.invalid" }, []string{"no server has this name", "on db.invalid:5432"}},
		"TLS":      {func(u *url.URL) { u.RawQuery = "sslmode=require" }, []string{"the server can't be reached", "sslmode"}},
		"schema":   {func(u *url.URL) { u.RawQuery += "&search_path=missing" }, []string{"CREATE SCHEMA"}},
		"rights": {func(u *url.URL) { u.User = url.UserPassword(user, "hunter2"); u.RawQuery += "&search_path=public" },
			[]string{"permission denied", "OWNER TO"}},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := changed(t, database, c.change)
			_, err := Open(t.Context(), wrong, Options{})
			hasAll(t, err, append(c.want, "open the journal")...)
			noSecret(t, err, wrong)
			if err != nil && strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
}

// A role that may only read is fine for the commands that only read, and is told what is missing for the others.
func TestPostgreSQL_Privileges(t *testing.T) {
	database := parts.PostgreSQL(t)
	admin := open(t, database)
	user := "bot_" + databaseName(t, database)
	mustExec(t, admin, `CREATE ROLE `+user+` LOGIN PASSWORD 'hunter2'`)
	t.Cleanup(func() { mustExec(t, admin, `DROP OWNED BY `+user); mustExec(t, admin, `DROP ROLE `+user) })
	mustExec(t, admin, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO `+user)
	limited := changed(t, database, func(u *url.URL) { u.User = url.UserPassword(user, "hunter2") })
	mustVerify(t, openWith(t, limited, Options{MustExist: true}), "shop")

	_, err := Open(t.Context(), limited, Options{})
	hasAll(t, err, "permission denied")
	mustExec(t, admin, `GRANT UPDATE ON inbox_places TO `+user)
	_, err = Open(t.Context(), limited, Options{})
	hasAll(t, err, "the user "+user+" may not do all that a journal needs: GRANT DELETE on open_rollbacks, INSERT on apps")

	// Nobody needs to be able to change or remove an event.
	mustExec(t, admin, `GRANT INSERT, UPDATE, DELETE ON apps, rollbacks, open_rollbacks, inbox, ownership TO `+user)
	mustExec(t, admin, `GRANT INSERT ON events TO `+user)
	s := open(t, limited)
	mustPut(t, s, "trigger-1")
	mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Cause: "trigger-1", Facts: facts(requested(), runbook.Ended{})})
	if _, err := s.Acquire(t.Context(), "shop", 0); err != nil {
		t.Error(err)
	}
	mustVerify(t, s, "shop")
}

func TestPostgreSQL_MustExistCreatesNothing(t *testing.T) {
	database := parts.PostgreSQL(t)
	_, err := Open(t.Context(), database, Options{MustExist: true})
	if !errors.Is(err, ErrNoJournal) {
		t.Errorf("%v, want ErrNoJournal", err)
	}
	hasAll(t, err, "in the database "+databaseName(t, database), "in this database yet", "rollbackbot serve")
	noSecret(t, err, database)
	s := openUnprepared(t, database)
	if n := count(t, s, `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`); n != 0 {
		t.Errorf("there are %d tables", n)
	}
}

// openUnprepared connects without making a journal.
func openUnprepared(t *testing.T, database string) *Store {
	t.Helper()
	connected, err := openDatabase(database, false)
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{opened: connected}
	t.Cleanup(func() { s.Close() })
	return s
}

// Another program's database stays as it is; a schema beside its own will do.
func TestPostgreSQL_AnotherProgramsDatabase(t *testing.T) {
	database := parts.PostgreSQL(t)
	other := openUnprepared(t, database)
	mustExec(t, other, `CREATE TABLE schema_version (version INTEGER)`)
	_, err := Open(t.Context(), database, Options{})
	hasAll(t, err, "another program's database", "a database of its own")

	mustExec(t, other, `CREATE SCHEMA journal`)
	s := open(t, with(database, "search_path", "journal"))
	mustAppend(t, s, runbook.Entry{Facts: facts(note("x"))})
	if n := count(t, other, `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`); n != 1 {
		t.Errorf("the other's schema has %d tables", n)
	}
}

// Two schemas are two journals: each has its owner.
func TestPostgreSQL_SchemasHaveTheirOwners(t *testing.T) {
	database := parts.PostgreSQL(t)
	mustExec(t, openUnprepared(t, database), `CREATE SCHEMA one`)
	mustExec(t, openUnprepared(t, database), `CREATE SCHEMA two`)
	for _, schema := range []string{"one", "two"} {
		if _, err := open(t, with(database, "search_path", schema)).Own(t.Context()); err != nil {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

// A standby refuses with the same error as a database that is read-only by its settings.
func TestPostgreSQL_ReadOnly(t *testing.T) {
	database := parts.PostgreSQL(t)
	s := open(t, database)
	mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
	mustExec(t, s, `ALTER DATABASE `+databaseName(t, database)+` SET default_transaction_read_only = on`)
	_, err := Open(t.Context(), database, Options{})
	hasAll(t, err, "read-only, or a standby", "target_session_attrs=read-write")
	mustVerify(t, openWith(t, database, Options{MustExist: true}), "shop")
}

// Whatever the database's settings are, a commit is on disk when it is reported, and appends wait for each other.
func TestPostgreSQL_OverridesTheDatabasesSettings(t *testing.T) {
	database := parts.PostgreSQL(t)
	admin := openUnprepared(t, database)
	for _, setting := range []string{"synchronous_commit = off", "default_transaction_isolation = 'serializable'", "statement_timeout = 0"} {
		mustExec(t, admin, `ALTER DATABASE `+databaseName(t, database)+` SET `+setting)
	}
	s := open(t, database)
	for setting, want := range map[string]string{
		"synchronous_commit": "on", "transaction_isolation": "read committed", "statement_timeout": "10s",
		"lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s", "application_name": "rollbackbot",
	} {
		var got string
		err := s.write(t.Context(), func(ctx context.Context, tx *sql.Tx) (err error) {
			got, err = queryText(ctx, tx, `SELECT current_setting('`+setting+`')`)
			return err
		})
		if got != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", setting, got, err, want)
		}
	}
	if got, err := queryOne(t, open(t, with(database, "statement_timeout", "7000")), `SELECT current_setting('statement_timeout')`); got != "7s" {
		t.Errorf("the URL's own is %q, %v", got, err)
	}
	mustExec(t, admin, `ALTER DATABASE `+databaseName(t, database)+` SET synchronous_commit = local`)
	if got, err := queryOne(t, open(t, database), `SELECT current_setting('synchronous_commit')`); got != "local" {
		t.Errorf("a setting that is on disk as well was made %q, %v", got, err)
	}
}

func queryOne(t *testing.T, s *Store, query string) (got string, err error) {
	t.Helper()
	err = s.read(t.Context(), func(ctx context.Context, tx *sql.Tx) (err error) {
		got, err = queryText(ctx, tx, query)
		return err
	})
	return got, err
}

// The server's own errors, raised where it would raise them.
func TestPostgreSQL_AppendFails(t *testing.T) {
	for code, want := range map[string]string{
		"disk_full":          "the server's disk is full: make room",
		"io_error":           "the server's disk reports an error",
		"data_corrupted":     "the database is damaged",
		"lock_not_available": "another session has kept the journal locked",
		"out_of_memory":      "the server reports an error",
		"admin_shutdown":     "the server ended the connection",
	} {
		t.Run(code, func(t *testing.T) {
			database := parts.PostgreSQL(t)
			s := open(t, database)
			mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
			mustExec(t, s, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '`+code+`'; END $$`)
			// At the end of the transaction: it is the COMMIT that fails.
			mustExec(t, s, `CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()`)
			_, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("2"))})
			hasAll(t, err, "append to the journal of shop", want, "in the database "+databaseName(t, database))
			if errors.Is(err, runbook.ErrUncertain) {
				t.Errorf("what the server refused is not uncertain: %v", err)
			}
			mustExec(t, s, `DROP TRIGGER fails ON events`)
			if got := mustAppend(t, s, runbook.Entry{Facts: facts(note("2"))}); got[0].Seq != 2 {
				t.Errorf("seq %d, want 2", got[0].Seq)
			}
		})
	}
}

// A session that is idle in a transaction holds an app's row.
func TestPostgreSQL_Locked(t *testing.T) {
	database := parts.PostgreSQL(t)
	s, other := open(t, database), open(t, with(database, "lock_timeout", "20"))
	mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
	tx, err := s.writer.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`UPDATE apps SET seq = seq`); err != nil {
		t.Fatal(err)
	}
	_, err = other.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("x"))})
	hasAll(t, err, "another session has kept the journal locked", "idle in transaction")
	mustAppend(t, other, runbook.Entry{App: "other", Facts: facts(note("x"))})
}

// A table that somebody dropped is no empty journal.
func TestPostgreSQL_TableGone(t *testing.T) {
	database := parts.PostgreSQL(t)
	s := open(t, database)
	mustExec(t, s, `DROP TABLE events`)
	_, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("x"))})
	hasAll(t, err, "a table of the journal is gone")
}

// A server that stands still becomes an error, and goes on as if nothing had been.
func TestPostgreSQL_Stalled(t *testing.T) {
	server := parts.StartPostgreSQL(t)
	database := server.Database(t)
	s := open(t, database)
	mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
	server.Freeze(t)
	s.patience = 300 * time.Millisecond
	began := time.Now()
	_, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("2"))})
	hasAll(t, err, "has stalled", "in the database "+databaseName(t, database))
	if _, readErr := s.Events(t.Context(), "shop", "", 0); !errors.Is(readErr, errStalled) {
		t.Errorf("reading: %v", readErr)
	}
	if _, ownErr := s.Own(t.Context()); !errors.Is(ownErr, errStalled) {
		t.Errorf("owning: %v", ownErr)
	}
	if took := time.Since(began); took > guard {
		t.Errorf("it took %v", took)
	}
	server.Thaw()
	s.patience = guard
	if got := mustAppend(t, s, runbook.Entry{Facts: facts(note("2"))}); got[0].Seq != 2 {
		t.Errorf("seq %d, want 2", got[0].Seq)
	}
	mustVerify(t, s, "shop")
}

// A store uses few connections, whatever is asked of it at once.
func TestPostgreSQL_FewConnections(t *testing.T) {
	database := parts.PostgreSQL(t)
	s := open(t, database)
	done := make(chan error)
	for i := range 40 {
		go func() {
			_, err := s.Put(context.Background(), runbook.Delivery{Key: fmt.Sprint(i), At: at})
			if err == nil {
				_, err = s.Pending(context.Background())
			}
			done <- err
		}()
	}
	for range 40 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := count(t, s, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()`); n > 2*sessions {
		t.Errorf("%d connections, want %d at most", n, 2*sessions)
	}
}

func TestParseProcessName(t *testing.T) {
	if pid, host := parseProcessName(processPrefix + "12 on web on 1"); pid != 12 || host != "web on 1" {
		t.Errorf("got %d, %q", pid, host)
	}
	for _, name := range []string{"", "psql", "rollbackbot", processPrefix + "x on y", processPrefix + "-1 on y", processPrefix + "1"} {
		if pid, host := parseProcessName(name); pid != 0 || host != "" {
			t.Errorf("%q: got %d, %q", name, pid, host)
		}
	}
}
