package parts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serverTimeout bounds initdb and each start and stop of a server: they take two seconds on an idle machine.
const serverTimeout = 5 * time.Minute

// pgCtlSeconds is how long pg_ctl itself waits, a little less; its own default is a minute.
const pgCtlSeconds = "280"

// superuser is who the tests connect as.
const superuser = "rollbackbot"

// PostgreSQLServer is a throw-away PostgreSQL server on a loopback port, with its data in a temporary folder. Its
// methods are for one goroutine at a time.
type PostgreSQLServer struct {
	bin      string
	folder   string // of everything
	port     int
	options  string // for postgres
	password string
	as       *syscall.Credential // nil: this user
	keeper   *exec.Cmd
	leash    io.Closer // the keeper's standard input
}

// startPostgreSQL makes a server and starts it with the options. Where something fails nothing is left.
func startPostgreSQL(bin, options string) (*PostgreSQLServer, error) {
	s := &PostgreSQLServer{bin: bin, password: rand.Text(), options: options}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	err := s.keep()
	if err == nil {
		err = s.create()
	}
	if err == nil {
		err = s.start()
	}
	if err != nil {
		s.end()
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s, nil
}

// prepare makes the folder, for the user as whom the server will run.
func (s *PostgreSQLServer) prepare() (err error) {
	if s.as, err = serverUser(); err != nil {
		return err
	}
	// Not tb.TempDir: its parents are for this user alone, and the folder outlives the test by a moment.
	if s.folder, err = os.MkdirTemp("", "rollbackbot-postgresql-"); err != nil {
		return err
	}
	if s.as != nil {
		if err := os.Chown(s.folder, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return errors.Join(err, os.RemoveAll(s.folder))
		}
	}
	if s.port, err = freePort(); err != nil {
		return errors.Join(err, os.RemoveAll(s.folder))
	}
	return nil
}

// serverUser is who runs the server: PostgreSQL refuses to run as root. nil for this user.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var errs []error
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
	}
	return nil, errors.Join(errs...)
}

// freePort is a port that nobody had a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// keeperScript waits for the end of its standard input and then ends the server and removes its folder. A frozen
// postmaster takes no other signal before it goes on.
const keeperScript = `cat >/dev/null
pid=$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null) && kill -CONT "$pid"
"$1/pg_ctl" -D "$2/data" -m immediate -w -t 60 stop
rm -rf "$2"`

// keep starts the server's keeper, which ends the server when this process does, also by kill -9: the standard input
// that we hold for it ends then.
func (s *PostgreSQLServer) keep() (err error) {
	s.keeper = s.command(context.Background(), "/bin/sh", "-c", keeperScript, "keeper", s.bin, s.folder)
	if s.leash, err = s.keeper.StdinPipe(); err != nil {
		return err
	}
	return s.keeper.Start()
}

// end ends the server for good and waits for it.
func (s *PostgreSQLServer) end() {
	if s.keeper == nil || s.keeper.Process == nil {
		_ = os.RemoveAll(s.folder) // in a temporary place, and ours
		return
	}
	s.Thaw()
	_ = s.leash.Close()
	_ = s.keeper.Wait() // a server that was stopped already is no failure
}

// create makes the server's data folder.
func (s *PostgreSQLServer) create() error {
	secret := filepath.Join(s.folder, "password")
	// The folder is for that user alone, so that the file may be read by its mode.
	if err := os.WriteFile(secret, []byte(s.password+"\n"), 0o644); err != nil {
		return err
	}
	return s.run("initdb", "-D", s.data(), "-U", superuser, "--pwfile="+secret, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
}

// Stop ends the server as `pg_ctl stop` does: fast or immediate, which leaves it as a crash of the server would.
func (s *PostgreSQLServer) Stop(tb testing.TB, mode string) {
	tb.Helper()
	if err := s.run("pg_ctl", "-D", s.data(), "-m", mode, "-w", "-t", pgCtlSeconds, "stop"); err != nil {
		tb.Fatal(err)
	}
}

// Start starts a server that was stopped, at the same address and with the same data, and waits until it answers.
func (s *PostgreSQLServer) Start(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

func (s *PostgreSQLServer) start() error {
	// No Unix socket: its folder is the machine's, and two servers would be in each other's way.
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories= -c max_connections=60 "+
		"-c shared_buffers=16MB -c autovacuum=off -c logging_collector=off %s", s.port, s.options)
	err := s.run("pg_ctl", "-D", s.data(), "-l", filepath.Join(s.folder, "log"), "-w", "-t", pgCtlSeconds, "-o", options, "start")
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.folder, "log")) // the error above says enough without it
		return fmt.Errorf("%w\n%s", err, log)
	}
	return nil
}

func (s *PostgreSQLServer) data() string { return filepath.Join(s.folder, "data") }

// url is that of the server's first database.
func (s *PostgreSQLServer) url() string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}

// run runs one of PostgreSQL's programs to its end.
func (s *PostgreSQLServer) run(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), serverTimeout)
	defer cancel()
	cmd := s.command(ctx, filepath.Join(s.bin, name), args...)
	// A file and not a pipe: the server inherits it, and a pipe would be read until the server's end.
	out, err := os.CreateTemp("", "rollbackbot-postgresql-output-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name()) // the error says enough without it
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// command is a command as the server's user, in a session of its own: Ctrl-C at the tests is not for the server.
func (s *PostgreSQLServer) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = s.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setsid: true}
	return cmd
}
