package ssh

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
)

// member is an account of a real host.
type member struct {
	target
	host *realhost.SSHD
}

// accountWith is an account that logs in with this shell.
func accountWith(t *testing.T, shell string) member {
	t.Helper()
	account := realhost.Account(t, "rb-"+strings.ToLower(filepath.Base(shell)))
	if out, err := exec.Command("usermod", "--shell", shell, account.Username).CombinedOutput(); err != nil {
		t.Fatalf("usermod: %v: %s", err, out)
	}
	host := realhost.StartSSHD(t, realhost.WithUser(account.Username))
	return member{realTarget(t, host, host.KnownHosts(t)), host}
}

// writes puts a file into the account's home.
func (m member) writes(t *testing.T, file, content string) {
	t.Helper()
	path := filepath.Join(m.host.Home(), file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, path, content)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
}

// greets is what a command prints that sees its variables and its input.
func (m member) greets(t *testing.T) {
	t.Helper()
	cmd := script(`printf "%s %s in %s: " "$FROM_PROFILE" "$GIVEN" "$(pwd)"; cat; echo trouble >&2; exit 3`)
	cmd.Dir, cmd.Env, cmd.Stdin = "/usr/share", []string{`GIVEN=it's \a "word"`}, []byte("its input")
	got := run(t, m.target, cmd)
	if want := `yes it's \a "word" in /usr/share: its input`; got.Status != 3 || string(got.Stdout) != want || string(got.Stderr) != "trouble\n" {
		t.Errorf("status %d, printed %q and %q; want 3, %q and no more than trouble", got.Status, got.Stdout, got.Stderr, want)
	}
}

// profiles are what people have, with all that is usual in it and nothing of it the command's.
const (
	posixProfile = `printf 'vps-1 \033[1m(production)\033[0m'
echo 'Now using node v20' >&2
read answer || :
export FROM_PROFILE=yes LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 CDPATH=/etc:/usr
alias sh=false docker='docker --help' cd=false cat=false
PROMPT_COMMAND='echo prompted'
umask 0777
set -u
cd /tmp
`
	fishProfile = `echo vps-1; echo noise >&2
set -gx FROM_PROFILE yes
alias sh false
umask 0777
cd /tmp
`
)

func TestLoginShell_ProfilesThatPrintReadAndSet(t *testing.T) {
	for shell, profile := range map[string]string{
		"bash": ".bash_profile", "dash": ".profile", "zsh": ".zprofile", "fish": ".config/fish/config.fish", "ksh": ".profile", "mksh": ".profile", "ash": ".profile",
	} {
		t.Run(shell, func(t *testing.T) {
			account := accountWith(t, parts.LoginShell(t, shell))
			content := posixProfile
			if shell == "fish" {
				content = fishProfile
			}
			account.writes(t, profile, content)
			account.greets(t)
		})
	}
}

// A profile that becomes another shell takes the command with it, and once that is known the command goes there at once.
func TestLoginShell_ProfilesThatBecomeAnotherShell(t *testing.T) {
	for _, shell := range []string{"zsh", "fish", "ksh"} {
		t.Run(shell, func(t *testing.T) {
			account := accountWith(t, parts.LoginShell(t, "bash"))
			account.writes(t, ".bash_profile", "echo welcome; read answer; export FROM_PROFILE=yes; exec "+parts.LoginShell(t, shell)+"\n")
			for range 2 {
				account.greets(t)
			}
			if !account.asInput.Load() {
				t.Error("the way that works was not kept")
			}
		})
	}
}

func TestLoginShell_WhatNoCommandGetsThrough(t *testing.T) {
	const terminal = "let its profile do that at a terminal alone: there, change `exit`, `exec …` or `read` to `[ -t 0 ] && …`"
	for _, row := range []struct{ name, profile, prints string }{
		{"it ends", "printf '\\n\\033[31mPASSWORD=hunter2\\033[0m\\n'; exit 1\n", `the first line that it prints is "PASSWORD=` + runbook.Masked + `"`},
		{"it fails", "set -e\nfalse\n", "it prints nothing"},
		{"it starts what isn't a shell", "exec true\n", "it prints nothing"},
	} {
		t.Run(row.name, func(t *testing.T) {
			account := accountWith(t, parts.LoginShell(t, "bash"))
			account.writes(t, ".bash_profile", "export FROM_PROFILE=yes\n"+row.profile)
			cmd := script("cat")
			cmd.Stdin = []byte("touch /tmp/rollbackbot-ran\n")
			_, err := account.Run(t.Context(), cmd)
			shell := parts.LoginShell(t, "bash")
			wantHostError(t, err, false, "a login shell of rb-bash ("+shell+") ends, or becomes another program, before it comes to a command: "+row.prints, terminal)
			if exists("/tmp/rollbackbot-ran") {
				t.Error("the input of the command was run")
			}
			// Who follows the remedy is let through.
			account.writes(t, ".bash_profile", "export FROM_PROFILE=yes\n[ ! -t 0 ] || { "+strings.ReplaceAll(strings.TrimSpace(row.profile), "\n", "; ")+"; }\n")
			account.greets(t)
		})
	}
}

func TestLoginShell_ShellsThatCannotServe(t *testing.T) {
	t.Run("tcsh", func(t *testing.T) {
		shell := parts.LoginShell(t, "tcsh")
		account := accountWith(t, shell)
		_, err := account.Run(t.Context(), script("true\n"))
		wantHostError(t, err, false, "the login shell of rb-tcsh is "+shell+", which doesn't run commands as other shells do", "give it another one, as root there: chsh -s /bin/sh rb-tcsh")
		if out, err := exec.Command("chsh", "-s", "/bin/sh", "rb-tcsh").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		account.writes(t, ".profile", "export FROM_PROFILE=yes\n")
		account.greets(t)
	})
	t.Run("nologin", func(t *testing.T) {
		_, err := accountWith(t, "/usr/sbin/nologin").Run(t.Context(), script("true"))
		wantHostError(t, err, false, `it does not run commands for rb-nologin: the first line that it prints is "This account is currently not available."`, runsNoCommands)
	})
	t.Run("false", func(t *testing.T) {
		_, err := accountWith(t, "/bin/false").Run(t.Context(), script("true"))
		wantHostError(t, err, false, "it does not run commands for rb-false: it prints nothing", runsNoCommands)
	})
	t.Run("a shell that prints without end", func(t *testing.T) {
		account := accountWith(t, parts.LoginShell(t, "bash"))
		account.writes(t, ".bash_profile", "yes\n")
		_, err := account.Run(t.Context(), script("true"))
		wantLost(t, err)
		if !strings.Contains(err.Error(), "more than 4 MiB") {
			t.Errorf("got %v", err)
		}
	})
}
