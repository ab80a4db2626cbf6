package ssh

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

func TestRemoteLine(t *testing.T) {
	cmd := runbook.Command{Dir: "/opt/a", Env: []string{"API_IMAGE=ghcr.io/o/api@sha256:00", "NOTE=a b"}, Args: []string{"docker", "ps"}}
	const inner = `exec sh -c '` + begins + `' rollbackbot rollbackbot-M /opt/a API_IMAGE=ghcr.io/o/api@sha256:00 'NOTE=a b' docker ps`
	for _, how := range []string{asArgument, asInput} {
		want := `exec sh -c ` + runbook.Quote(how) + ` rollbackbot ` + runbook.Quote(inner)
		if got := remoteLine(how, "rollbackbot-M", cmd); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A relative folder is neither an option of cd nor looked up in CDPATH.
func TestInHome(t *testing.T) {
	for dir, want := range map[string]string{"/opt/a": "/opt/a", "-app": "./-app", "app": "./app", ".": ".", "./a": "./a", "../app": "../app"} {
		if got := inHome(dir); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}

func TestRemoteLine_Refuses(t *testing.T) {
	for name, cmd := range map[string]runbook.Command{
		"no program":              {},
		"an empty program":        {Args: []string{"", "x"}},
		"an option of exec":       {Args: []string{"-a", "x"}},
		"a variable as a program": {Args: []string{"B=2", "x"}},
		"a variable without =":    {Env: []string{"secret"}, Args: []string{"x"}},
		"a variable with a space": {Env: []string{"A B=secret"}, Args: []string{"x"}},
		"a variable of nothing":   {Env: []string{"=secret"}, Args: []string{"x"}},
		"a variable like -i":      {Env: []string{"-i=secret"}, Args: []string{"x"}},
	} {
		err := checkWords(cmd)
		if err == nil {
			t.Errorf("%s: passed", name)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows a value: %v", name, err)
		}
	}
}

// printWords is a command that prints each of the words with a NUL after it.
func printWords(dir string, words []string) runbook.Command {
	return runbook.Command{
		Dir: dir,
		Env: []string{"FIRST=" + words[0]},
		// The words come twice: as arguments, and as a variable.
		Args: append([]string{"sh", "-c", `pwd; printf '%s\0' "$FIRST" "$@"`, "sh"}, words...),
	}
}

// through runs a command's line as sshd would for a user whose shell is this one.
func through(t testing.TB, shell, how string, cmd runbook.Command) string {
	t.Helper()
	if err := checkWords(cmd); err != nil {
		t.Fatal(err)
	}
	m := newMark()
	line := remoteLine(how, m, cmd)
	run := exec.Command(shell, "-c", line)
	home := t.TempDir()
	run.Dir = home
	run.Env = []string{"HOME=" + home, "PATH=/usr/local/bin:/usr/bin:/bin", "SHELL=" + shell}
	var stderr strings.Builder
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%s -c %s: %v: %s", shell, line, err, stderr.String())
	}
	printed, found := strings.CutPrefix(string(out), string(m)+"\n")
	if _, said := strings.CutPrefix(stderr.String(), string(m)+"\n"); !found || !said {
		t.Fatalf("%s: the mark is missing in %q or %q", shell, out, stderr.String())
	}
	return printed
}

func checkWordsArrive(t testing.TB, shell, dir string, words []string) {
	t.Helper()
	checkWordsArriveBy(t, asArgument, shell, dir, words)
}

func checkWordsArriveBy(t testing.TB, how, shell, dir string, words []string) {
	t.Helper()
	got := through(t, shell, how, printWords(dir, words))
	arrived := make([]string, 0, len(words)+1)
	for _, word := range append([]string{words[0]}, words...) {
		arrived = append(arrived, strings.ReplaceAll(word, "\x00", ""))
	}
	if want := dir + "\n" + strings.Join(arrived, "\x00") + "\x00"; got != want {
		t.Errorf("%s: got %q, want %q", shell, got, want)
	}
}

// hostileWords hold whatever a shell could read as its own, backslashes apart.
var hostileWords = []string{
	"plain", "", " ", "two words", "it's", `"double"`, "''", `'"'"'`, "$HOME", "${HOME}", "$(reboot)", "`reboot`",
	"a;b", "a&&b", "a|b", "a>b", "<(b)", "*", "?", "[a-z]", "{a,b}", "~", "~root", "#no comment", "!!", "!$",
	"=ls", "a=b", "-n", "--", "new\nline", "tab\there", "carriage\rreturn", "%s", "^a^b", "(sub)", "ümläut — ”quotes”", "\x00nul", "end'",
}

// backslashes are apart because fish, alone among shells, reads them inside single quotes.
var backslashes = []string{`\`, `\\`, `a\'b`, `ends in \`, `\n`, `\\server\share`, `'\''`}

// shells are those of users, with the path under which each is run here.
func shells(t *testing.T) map[string]func(t *testing.T) string {
	t.Helper()
	found := make(map[string]func(t *testing.T) string)
	for _, name := range []string{"sh", "bash", "dash", "zsh", "fish", "ksh", "mksh"} {
		found[name] = func(t *testing.T) string { return lookShell(t, name) }
	}
	found["busybox"] = func(t *testing.T) string {
		// busybox is the shell that it is called by.
		link := filepath.Join(t.TempDir(), "ash")
		if err := os.Symlink(lookShell(t, "busybox"), link); err != nil {
			t.Fatal(err)
		}
		return link
	}
	return found
}

func lookShell(t *testing.T, name string) string {
	t.Helper()
	shell, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return shell
}

func TestRemoteLine_ThroughShells(t *testing.T) {
	// A folder with what hurts, made real: cd must find it.
	dir := filepath.Join(t.TempDir(), `it's a "folder" $HOME`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, find := range shells(t) {
		t.Run(name, func(t *testing.T) {
			shell := find(t)
			checkWordsArrive(t, shell, dir, hostileWords)
			checkWordsArriveBy(t, asInput, shell, dir, slices.Concat(hostileWords, backslashes))
			for _, word := range hostileWords { // each as a variable as well
				checkWordsArrive(t, shell, dir, []string{word})
			}
		})
		t.Run(name+" backslashes", func(t *testing.T) {
			checkWordsArrive(t, find(t), dir, backslashes)
		})
	}
}

func FuzzRemoteLine(f *testing.F) {
	for _, word := range slices.Concat(hostileWords, backslashes) {
		f.Add(word, "second")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, first, second string) {
		if len(first)+len(second) > 10_000 {
			t.Skip("longer than one argument may be, once it is quoted twice")
		}
		checkWordsArrive(t, "/bin/sh", dir, []string{first, second})
	})
}
