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
	for name, test := range map[string]struct {
		cmd  runbook.Command
		want string
	}{
		"a program": {
			runbook.Command{Args: []string{"docker", "ps"}},
			`exec "$SHELL" -lc 'exec docker ps'`,
		},
		"a folder": {
			runbook.Command{Dir: "/opt/your-app", Args: []string{"docker", "compose", "-f", "infra/docker-compose.prod.yml", "ps"}},
			`exec "$SHELL" -lc 'cd /opt/your-app && exec docker compose -f infra/docker-compose.prod.yml ps'`,
		},
		"variables": {
			runbook.Command{Dir: "/opt/a", Env: []string{"API_IMAGE=ghcr.io/o/api@sha256:00", "NOTE=a b"}, Args: []string{"up"}},
			`exec "$SHELL" -lc 'cd /opt/a && exec env API_IMAGE=ghcr.io/o/api@sha256:00 NOTE='"'"'a b'"'"' up'`,
		},
		"hostile words": {
			runbook.Command{Dir: "/opt/it's; rm -rf ~", Args: []string{"echo", "$(reboot)", "`reboot`", "", "a\nb", "!!"}},
			`exec "$SHELL" -lc 'cd '"'"'/opt/it'"'"'"'"'"'"'"'"'s; rm -rf ~'"'"' && exec echo '"'"'$(reboot)'"'"' '"'"'` + "`reboot`" + `'"'"' '"'"''"'"' '"'"'a` + "\n" + `b'"'"' '"'"'!!'"'"''`,
		},
		"a relative folder": {
			runbook.Command{Dir: "-app", Args: []string{"ls"}},
			`exec "$SHELL" -lc 'cd ./-app && exec ls'`,
		},
		"a folder above": {
			runbook.Command{Dir: "../app", Args: []string{"ls"}},
			`exec "$SHELL" -lc 'cd ../app && exec ls'`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := remoteLine(test.cmd)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestRemoteLine_Refuses(t *testing.T) {
	for name, cmd := range map[string]runbook.Command{
		"no program":              {},
		"an empty program":        {Args: []string{"", "x"}},
		"an option of exec":       {Args: []string{"-a", "x"}},
		"a variable as a program": {Env: []string{"A=1"}, Args: []string{"B=2", "x"}},
		"a variable without =":    {Env: []string{"secret"}, Args: []string{"x"}},
		"a variable with a space": {Env: []string{"A B=secret"}, Args: []string{"x"}},
		"a variable of nothing":   {Env: []string{"=secret"}, Args: []string{"x"}},
		"a variable like -i":      {Env: []string{"-i=secret"}, Args: []string{"x"}},
	} {
		line, err := remoteLine(cmd)
		if err == nil {
			t.Errorf("%s: made %s", name, line)
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
func through(t testing.TB, shell string, cmd runbook.Command) string {
	t.Helper()
	line, err := remoteLine(cmd)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(shell, "-c", line)
	home := t.TempDir()
	run.Dir = home
	run.Env = []string{"HOME=" + home, "PATH=/usr/local/bin:/usr/bin:/bin", "SHELL=" + shell}
	out, err := run.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = exit.Stderr
		}
		t.Fatalf("%s -c %s: %v: %s", shell, line, err, stderr)
	}
	return string(out)
}

func checkWordsArrive(t testing.TB, shell, dir string, words []string) {
	t.Helper()
	got := through(t, shell, printWords(dir, words))
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
	for _, name := range []string{"sh", "bash", "dash", "zsh", "fish", "ksh"} {
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
			for _, word := range hostileWords { // each as a variable as well
				checkWordsArrive(t, shell, dir, []string{word})
			}
		})
		t.Run(name+" backslashes", func(t *testing.T) {
			shell := find(t)
			if name == "fish" && runbook.Quote(`\`) == `'\'` {
				t.Skip("runbook.Quote leaves backslashes inside single quotes, which fish reads")
			}
			checkWordsArrive(t, shell, dir, backslashes)
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
