package journal

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
	tx, err := s.writer.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = other.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("x"))})
	hasAll(t, err, "another process has kept the journal locked")
}

// A file that is removed or replaced under a running bot gets nothing more: nobody would ever read it.
func TestSQLite_FileGoneOrReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, path string)
		want   string
	}{
		"gone":     {func(t *testing.T, path string) { rename(t, path, path+".away") }, "the journal's file is gone"},
		"replaced": {func(t *testing.T, path string) { rename(t, restored(t, path), path) }, "was replaced by another one: start this program again"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			s := open(t, "sqlite:"+path)
			mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
			c.change(t, path)
			_, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("2"))})
			hasAll(t, err, c.want, path)
			_, err = s.Put(t.Context(), delivery("trigger-1"))
			hasAll(t, err, c.want)
			_, err = s.Events(t.Context(), "shop", "", 0)
			hasAll(t, err, c.want)
			if name == "gone" { // put back, it is the same again
				rename(t, path+".away", path)
				mustAppend(t, s, runbook.Entry{Facts: facts(note("2"))})
				mustVerify(t, s, "shop")
			}
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// restored is a copy of the journal as a backup would have it.
func restored(t *testing.T, path string) string {
	t.Helper()
	backup := filepath.Join(t.TempDir(), "backup.db")
	mustExec(t, open(t, "sqlite:"+path), `VACUUM INTO $1`, backup)
	return backup
}

// A backup of yesterday takes nobody's epoch back: the hosts say what they have seen.
func TestSQLite_RestoredFromYesterday(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s := open(t, "sqlite:"+path)
	mustAppend(t, s, runbook.Entry{Facts: facts(note("yesterday"))})
	backup := restored(t, path)
	var seen int64
	for range 3 {
		epoch, err := s.Acquire(t.Context(), "shop", 0)
		if err != nil {
			t.Fatal(err)
		}
		seen = epoch
	}
	mustAppend(t, s, runbook.Entry{Epoch: seen, Facts: facts(note("today"))})

	old := open(t, "sqlite:"+backup)
	mustVerify(t, old, "shop")
	epoch, err := old.Acquire(t.Context(), "shop", seen)
	if err != nil || epoch != seen+1 {
		t.Errorf("epoch %d, %v; want %d", epoch, err, seen+1)
	}
	if got := mustAppend(t, old, runbook.Entry{Epoch: epoch, Facts: facts(note("after"))}); got[0].Seq != 2 {
		t.Errorf("seq %d, want 2", got[0].Seq)
	}
	mustVerify(t, old, "shop")
}

// A disk that is really full: nothing is half written, everything is said, and it goes on once there is room.
func TestSQLite_NoSpaceLeft(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("a small disk can't be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	s := open(t, "sqlite:"+filepath.Join(disk, "journal.db"))
	mustPut(t, s, "trigger-1")
	filler := filepath.Join(disk, "filler")
	_ = os.WriteFile(filler, make([]byte, 1<<20), 0o600) // as far as it goes
	large := delivery("trigger-2")
	large.Body = make([]byte, 1<<17)
	_, err := s.Put(t.Context(), large)
	hasAll(t, err, "the disk of the journal is full: make room")
	if errors.Is(err, runbook.ErrUncertain) {
		t.Errorf("it is certain: %v", err)
	}
	_, err = s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note(strings.Repeat("x", 1<<17)))})
	hasAll(t, err, "the disk of the journal is full: make room")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if fresh, err := s.Put(t.Context(), large); !fresh || err != nil {
		t.Errorf("with room again: %t, %v", fresh, err)
	}
	mustAppend(t, s, runbook.Entry{Facts: facts(note("x"))})
	mustVerify(t, s, "shop")
	if pending, err := s.Pending(t.Context()); len(pending) != 2 || err != nil {
		t.Errorf("%d pending, %v; want 2", len(pending), err)
	}
}
