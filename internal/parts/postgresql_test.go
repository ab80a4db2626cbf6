package parts

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFindPostgreSQL(t *testing.T) {
	bareMachine(t)
	versions := t.TempDir()
	if _, err := findPostgreSQL(versions); err == nil || !strings.Contains(err.Error(), versions) {
		t.Errorf("on a bare machine: %v, want an error that says where it looked", err)
	}
	write := func(version string, names ...string) {
		t.Helper()
		folder := filepath.Join(versions, version, "bin")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("9", "initdb", "pg_ctl", "postgres")
	write("15", "initdb", "pg_ctl", "postgres")
	write("16", "initdb", "pg_ctl") // Debian's client package brings a part of them
	if got, err := findPostgreSQL(versions); err != nil || got != filepath.Join(versions, "15", "bin") {
		t.Errorf("got %q, %v; want the newest that is whole", got, err)
	}
}

func TestPostgreSQL_EachTestHasAnEmptyDatabase(t *testing.T) {
	first, second := PostgreSQL(t), PostgreSQL(t)
	if first == second {
		t.Error("two databases are one")
	}
	for _, database := range []string{first, second} {
		if err := askServer(database, "CREATE TABLE t (x BIGINT)"); err != nil {
			t.Error(err)
		}
	}
}

func TestPostgreSQL_OnAServerThatIsNamed(t *testing.T) {
	server := StartPostgreSQL(t)
	t.Setenv(postgreSQLVariable, server.url())
	database, err := url.Parse(PostgreSQL(t))
	if err != nil || database.Port() != strconv.Itoa(server.port) || database.Path == "/postgres" {
		t.Errorf("got %v, %v; want a new database of the server on port %d", database, err, server.port)
	}
}

func TestPostgreSQLServer_StopsStartsAndEnds(t *testing.T) {
	var folder string
	t.Run("while the test runs", func(t *testing.T) {
		s := StartPostgreSQL(t)
		folder = s.folder
		database := s.Database(t)
		s.Stop(t, "fast")
		if askServer(database, "SELECT 1") == nil {
			t.Error("a server that was stopped answers")
		}
		s.Start(t)
		s.Freeze(t)
		answered := make(chan error, 1)
		go func() { answered <- askServer(database, "SELECT 1") }()
		select {
		case err := <-answered:
			t.Errorf("a frozen server answers: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
		s.Thaw()
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("after the test its folder is there: %v", err)
	}
}

// serveVariable makes this binary another test process, which has a server and is killed.
const serveVariable = "PARTS_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		serveUntilKilled()
	}
	os.Exit(m.Run())
}

func serveUntilKilled() {
	bin, err := findPostgreSQL(debianPostgreSQL)
	var s *PostgreSQLServer
	if err == nil {
		s, err = startPostgreSQL(bin, "")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.folder)
	_, _ = os.Stdin.Read(make([]byte, 1)) // ends with the test at the latest
	os.Exit(0)
}

// A test process that is killed leaves neither a server nor its folder behind.
func TestPostgreSQLServer_EndsWithItsProcess(t *testing.T) {
	PostgreSQL(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"=1")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	said.Scan()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // "signal: killed" is what was asked for
	folder := said.Text()
	if !strings.HasPrefix(folder, os.TempDir()) {
		t.Fatalf("the other process said %q", folder)
	}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", folder)
		}
	}
}
