package journal

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

func TestSQLite_MustExistCreatesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	_, err := Open(t.Context(), "sqlite:"+path, Options{MustExist: true})
	if !errors.Is(err, ErrNoJournal) {
		t.Errorf("%v, want ErrNoJournal", err)
	}
	hasAll(t, err, path, "ROLLBACK_DATABASE_URL", "rollbackbot serve")

	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), "sqlite:"+path, Options{MustExist: true})
	if !errors.Is(err, ErrNoJournal) {
		t.Errorf("an empty file: %v, want ErrNoJournal", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("the file is now %v, %v", info, err)
	}

	open(t, "sqlite:"+path)
	openWith(t, "sqlite:"+path, Options{MustExist: true})
}

func TestSQLite_Modes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%41?c#d.db")
	s := open(t, "sqlite:"+path)
	mustAppend(t, s, runbook.Entry{Facts: facts(note("x"))})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want it for its owner alone", info.Mode())
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000"} {
		var got string
		if err := s.writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
		}
	}
}

func TestSQLite_SaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "missing", "journal.db"): "the folder " + filepath.Join(dir, "missing") + " does not exist: create it",
		dir:                            "it is a folder",
		text:                           "not an SQLite database",
		filepath.Join(text, "journal"): "not a directory",
	} {
		_, err := Open(t.Context(), "sqlite:"+path, Options{})
		hasAll(t, err, want, path)
	}
	if got, err := os.ReadFile(text); err != nil || len(got) != 1500 {
		t.Errorf("the text file was changed: %d bytes, %v", len(got), err)
	}
}

func TestSQLite_NotPermitted(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may open every file")
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), "sqlite:"+path, Options{})
	hasAll(t, err, "this user may not read and write it")
}

// Another program's database stays as it is, down to its journal mode.
func TestSQLite_AnotherProgramsDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE schema_version (version INTEGER)`); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), "sqlite:"+path, Options{})
	hasAll(t, err, path, "another program's database")
	var mode string
	if err := db.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "delete" {
		t.Errorf("its journal mode is %q, %v", mode, err)
	}
}

// A full disk: SQLite's own limit of pages stands in for it.
func TestSQLite_DiskFull(t *testing.T) {
	s := open(t, sqliteURL(t))
	mustAppend(t, s, runbook.Entry{Facts: facts(note("fits"))})
	mustExec(t, s, `PRAGMA max_page_count = 1`)
	_, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note(strings.Repeat("x", 1<<20)))})
	hasAll(t, err, "append to the journal of shop", "the disk of the journal is full: make room")
	mustVerify(t, s, "shop")
}

func TestSQLite_Locked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s, other := open(t, "sqlite:"+path), open(t, "sqlite:"+path)
	mustExec(t, other, `PRAGMA busy_timeout = 1`) // so that the test does not wait
	tx, err := s.writer.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = other.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("x"))})
	hasAll(t, err, "another process has kept the journal locked")
}
