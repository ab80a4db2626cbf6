package journal

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNAL_TEST_OWN"); path != "" {
		ownUntilKilled(path)
	}
	os.Exit(m.Run())
}

// ownUntilKilled is the other process of TestOwn_DiesWithItsProcess.
func ownUntilKilled(path string) {
	file, err := lockFile(path)
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("owned\n")
	os.Stdin.Read(make([]byte, 1)) // ends with the test at the latest
	runtime.KeepAlive(file)
	os.Exit(0)
}

func TestOwn_OneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s, other := openAt(t, path), openAt(t, path)
	release, err := s.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		runtime.GC() // the lock must not hang on whether anybody keeps release
	}
	for _, store := range []*Store{s, other} {
		_, err := store.Own(t.Context())
		var owned *OwnedError
		if !errors.As(err, &owned) || owned.PID != os.Getpid() {
			t.Errorf("got %v, want an *OwnedError with our process", err)
		}
	}
	release()
	release()
	if _, err := other.Own(t.Context()); err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Own(t.Context()); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// Another name of the same file is the same journal.
func TestOwn_ThroughALink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link.db")
	s := openAt(t, filepath.Join(dir, "journal.db"))
	if err := os.Symlink("journal.db", link); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Own(t.Context()); err != nil {
		t.Fatal(err)
	}
	var owned *OwnedError
	if _, err := openAt(t, link).Own(t.Context()); !errors.As(err, &owned) {
		t.Errorf("got %v, want an *OwnedError", err)
	}
}

func TestOwn_DiesWithItsProcess(t *testing.T) {
	s := open(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_OWN="+s.path)
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
	t.Cleanup(func() { cmd.Process.Kill() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "owned\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	var owned *OwnedError
	if _, err := s.Own(t.Context()); !errors.As(err, &owned) || owned.PID != cmd.Process.Pid {
		t.Errorf("got %v, want an *OwnedError with process %d", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // "signal: killed" is what was asked for
	if _, err := s.Own(t.Context()); err != nil {
		t.Errorf("after its end: %v", err)
	}
}
