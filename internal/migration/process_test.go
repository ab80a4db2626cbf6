package migration

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// TestMain is the child as well: the word after the program's name says how it behaves.
func TestMain(m *testing.M) {
	if IsChild(os.Args) {
		os.Exit(RunChild())
	}
	if len(os.Args) == 2 {
		if child, known := children[os.Args[1]]; known {
			os.Exit(child())
		}
	}
	os.Exit(m.Run())
}

var children = map[string]func() int{
	"hangs": hang,
	"hangs-with-a-grandchild": func() int {
		cmd := exec.Command(os.Args[0], "hangs") // holds the pipe open after its parent was killed
		cmd.Stdout = os.Stdout
		_ = cmd.Start()
		return hang()
	},
	"dies": func() int {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = killSelf()
		return hang()
	},
	"panics":       func() int { panic("a file with password=hunter2") },
	"fails":        func() int { fmt.Print(`{"files":[{"name":"1.sql"},{"name":"2.sql"}]}`); return 1 },
	"says-nothing": func() int { return 0 },
	"never-reads":  func() int { return says(`{"files":[{"name":"1.sql"},{"name":"2.sql"}]}`) },
	"rubbish":      func() int { return says("Segmentation fault\n") },
	"half":         func() int { return says(`{"files":[{"name":"1.sql","judgements":[{"file":"1.sql","li`) },
	"too-few":      func() int { return says(`{"files":[{"name":"1.sql"}]}`) },
	"others":       func() int { return says(`{"files":[{"name":"1.sql"},{"name":"3.sql"}]}`) },
	"no-verdict": func() int {
		return says(`{"files":[{"name":"1.sql","judgements":[{"file":"1.sql","line":1,"verdict":"fine","why":"so"}]},{"name":"2.sql"}]}`)
	},
	"of-another-file": func() int {
		return says(`{"files":[{"name":"1.sql","judgements":[{"file":"2.sql","line":1,"verdict":"adds only","why":"so"}]},{"name":"2.sql"}]}`)
	},
	"twice":   func() int { return says(`{"files":[{"name":"1.sql"},{"name":"2.sql"}]} {}`) },
	"unknown": func() int { return says(`{"files":[{"name":"1.sql"},{"name":"2.sql"}],"also":1}`) },
	"endless": func() int {
		for {
			if _, err := os.Stdout.WriteString(strings.Repeat("x", 1<<16)); err != nil {
				return 1
			}
		}
	},
	"works": func() int {
		_, _ = io.Copy(io.Discard, os.Stdin)
		return says(`{"files":[{"name":"1.sql","judgements":[{"file":"1.sql","line":1,"statement":"DROP TABLE x","verdict":"breaks or may break the former version","why":"so"}]},{"name":"2.sql"}]}`)
	},
	"tells-its-environment": func() int {
		_, _ = io.Copy(io.Discard, os.Stdin)
		return says(fmt.Sprintf(`{"files":[{"name":"1.sql","judgements":[{"file":"1.sql","verdict":"adds only","why":%q}]},{"name":"2.sql"}]}`, strings.Join(os.Environ(), " ")))
	},
}

func says(text string) int {
	fmt.Print(text)
	return 0
}

// guard is far above what anything takes here: a machine that is slow must fail no test. What hangs hangs for longer.
const guard = 5 * time.Minute

func hang() int {
	time.Sleep(guard + time.Minute)
	return 1
}

func killSelf() error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return self.Kill()
}

// two files, large enough that a child which does not read them leaves the pipe full.
func two() []runbook.MigrationFile {
	return []runbook.MigrationFile{
		{Name: "1.sql", Content: []byte("DROP TABLE x;" + strings.Repeat("\n-- more", 1<<15))},
		{Name: "2.sql", Content: []byte("DROP TABLE y;")},
	}
}

func behaves(how string, timeout time.Duration) *Process {
	p := NewProcess()
	p.Command, p.Timeout = []string{os.Args[0], how}, timeout
	return p
}

// However the child fails, each file could not be judged, with a reason that has nothing of the child's words in it.
func TestProcess_ChildFails(t *testing.T) {
	for _, c := range []struct{ how, why string }{
		{"dies", "the judge broke down: signal: killed"},
		{"panics", "the judge broke down: exit status 2"},
		{"fails", "the judge broke down: exit status 1"},
		{"says-nothing", "the judge's answer could not be read"},
		{"rubbish", "the judge's answer could not be read"},
		{"half", "the judge's answer could not be read"},
		{"too-few", "the judge's answer could not be read"},
		{"others", "the judge's answer could not be read"},
		{"no-verdict", "the judge's answer could not be read"},
		{"of-another-file", "the judge's answer could not be read"},
		{"twice", "the judge's answer could not be read"},
		{"unknown", "the judge's answer could not be read"},
		{"endless", "the judge's answer could not be read"},
	} {
		t.Run(c.how, func(t *testing.T) {
			notJudged(t, behaves(c.how, guard).Judge(t.Context(), two()), c.why)
		})
	}
}

func notJudged(t *testing.T, got []runbook.Judgement, why string) {
	t.Helper()
	if len(got) != 2 {
		t.Fatalf("%d judgements of two files: %+v", len(got), got)
	}
	for i, j := range got {
		want := runbook.Judgement{File: two()[i].Name, Verdict: runbook.NotJudged, Why: why}
		if j != want {
			t.Errorf("got  %+v\nwant %+v", j, want)
		}
	}
}

// A child that hangs is killed, at the timeout and when the caller gives up; what it has started holds nobody up.
func TestProcess_ChildHangs(t *testing.T) {
	t.Cleanup(endHanging)
	for _, how := range []string{"hangs", "hangs-with-a-grandchild"} {
		begun := time.Now()
		notJudged(t, behaves(how, 300*time.Millisecond).Judge(t.Context(), two()), "the judge did not answer in time")
		if took := time.Since(begun); took > guard {
			t.Errorf("%s: it took %s", how, took)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, stop)
	notJudged(t, behaves("hangs", time.Hour).Judge(ctx, two()), "the judge did not answer in time")
}

// endHanging ends the grandchild, which is nobody's any more.
func endHanging() {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well-formed
	for _, line := range lines {
		if said, err := os.ReadFile(line); err != nil || string(said) != os.Args[0]+"\x00hangs\x00" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(line))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // gone meanwhile is what is wanted
		}
	}
}

func TestProcess_NoProgram(t *testing.T) {
	p := NewProcess()
	p.Command = []string{"/nonexistent/judge"}
	got := p.Judge(t.Context(), two())
	if len(got) != 2 || got[0].Verdict != runbook.NotJudged || !strings.HasPrefix(got[0].Why, "the judge broke down: ") {
		t.Errorf("%+v", got)
	}
}

// One child at a time: who waits longer than the timeout is told so, and who waits in vain leaves no child behind.
func TestProcess_OneAtATime(t *testing.T) {
	p := behaves("hangs", 500*time.Millisecond)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { notJudged(t, p.Judge(t.Context(), two()), "the judge did not answer in time") })
	}
	all.Wait()
	p.Command = []string{os.Args[0], "works"}
	p.Timeout = guard
	if got := p.Judge(t.Context(), two()); len(got) != 1 || got[0].Verdict != runbook.MayBreak || got[0].Line != 1 {
		t.Errorf("after all of them: %+v", got)
	}
}

// The child knows nothing of the bot's secrets.
func TestProcess_Environment(t *testing.T) {
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-1-very-secret")
	got := behaves("tells-its-environment", guard).Judge(t.Context(), two())
	if len(got) != 1 || strings.Contains(got[0].Why, "SLACK") || strings.Contains(got[0].Why, "HOME") {
		t.Errorf("the child has %+v", got)
	}
}

// What needs no parser starts no child: the program is not there.
func TestProcess_NothingToParse(t *testing.T) {
	p := NewProcess()
	p.Command = []string{"/nonexistent/judge"}
	got := p.Judge(t.Context(), []runbook.MigrationFile{
		{Name: "1_users.go", Content: []byte("package migrations")},
		{Name: "2_users.rb"}, {Name: "3_users.py"}, {Name: "4_users.js"}, {Name: "noext"},
		{Name: "5_users.sql", Content: []byte("DROP TABLE x;\x00")},
		{Name: "6_users.sql", Content: []byte("\xff\xfeD\x00R\x00O\x00P\x00")},
		{Name: "7_users.sql", Content: make([]byte, maxFile+1)},
		{Name: "8_users.sql", Content: []byte("-- caf\xe9")},
	})
	want := []string{"it is not an SQL file", "it is not an SQL file", "it is not an SQL file", "it is not an SQL file", "it is not an SQL file",
		"it has NUL bytes", "it has NUL bytes", "it is larger than what this judge reads", "it is not UTF-8"}
	if len(got) != len(want) {
		t.Fatalf("%d judgements, want %d: %+v", len(got), len(want), got)
	}
	for i, j := range got {
		if j.Verdict != runbook.NotJudged || j.Why != want[i] {
			t.Errorf("%s: %q, %q; want %q", j.File, j.Verdict, j.Why, want[i])
		}
	}
	if got := p.Judge(t.Context(), nil); len(got) != 0 {
		t.Errorf("of no files: %+v", got)
	}
}

// More than one call may hold is said of those that are too many, not of all.
func TestProcess_TooMany(t *testing.T) {
	p := NewProcess()
	p.Command = []string{"/nonexistent/judge"}
	files := make([]runbook.MigrationFile, maxFiles+2)
	for i := range files {
		files[i] = runbook.MigrationFile{Name: fmt.Sprintf("%d.sql", i), Content: []byte("SELECT 1")}
	}
	got := p.Judge(t.Context(), files)
	if len(got) != len(files) || got[maxFiles].Why != "it is one of more files than this judge reads" || !strings.Contains(got[0].Why, "broke down") {
		t.Errorf("%d judgements, the first %+v, the last %+v", len(got), got[0], got[len(got)-1])
	}
}

func TestSelf(t *testing.T) {
	if runtime.GOOS == "linux" && self() != "/proc/self/exe" {
		t.Errorf("got %s", self())
	}
}
