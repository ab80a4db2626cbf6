package ssh

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"

	"rollbackbot/runbook"
)

// A host is asked to run one line for a command.
//
// sshd hands it to the user's shell with -c, which reads no profile: variables that a person has would vanish, and
// compose would render blanks for them. So the line starts a login shell, by $SHELL, which is the user's and may be bash,
// dash, zsh, fish, ksh or busybox. What its profile prints is none of the command's output, and what it reads is none of
// the command's input: the profile gets /dev/null to read and stderr to print to. The command gets back the streams that
// wait for it under 7 and 8, and says on both of its outputs that it begins, by a mark that nobody can know. So whatever
// has no mark has no command that ran.
const (
	// asArgument gives the login shell the command as an argument.
	asArgument = `exec 7<&0 8>&1 >&2 </dev/null; exec "$SHELL" -lc "$1"`
	// asInput gives it what to read instead: a profile that says `exec zsh` replaces the shell that was told the command,
	// and the next shell reads on. The blank lines are for a profile that asks before it does so.
	asInput = `exec 7<&0 8>&1 >&2; printf "\n\n\n%s\n" "$1" | "$SHELL" -l`
	// begins is what the login shell starts: $1 is the mark, $2 the folder or nothing, and after them come the variables
	// and the command, which replaces this shell, so that its exit status and its signals are its own.
	begins = `exec <&7 >&8 7<&- 8>&-; echo "$1"; echo "$1" >&2; ` +
		`[ -z "$2" ] || cd "$2" 2>/dev/null || { echo "rollbackbot: cd: no such folder" >&2; exit 1; }; shift 2; ` +
		`while :; do case $1 in *=*) export "$1"; shift ;; *) exec "$@" ;; esac; done`
	// whichShell prints the login shell, in every shell that runs commands.
	whichShell = `echo "$SHELL"`
)

// mark is what a command says as it begins. Each has its own.
type mark string

func newMark() mark { return mark("rollbackbot-" + rand.Text()) }

// remoteLine is the line for a command that checkWords has let pass; how is asArgument or asInput.
func remoteLine(how string, m mark, cmd runbook.Command) string {
	folder := ""
	if cmd.Dir != "" {
		folder = inHome(cmd.Dir)
	}
	words := append([]string{"sh", "-c", begins, "rollbackbot", string(m), folder}, cmd.Env...)
	inner := execLine(append(words, cmd.Args...))
	return execLine([]string{"sh", "-c", how, "rollbackbot", inner})
}

// execLine has a shell become the program that the words name.
func execLine(words []string) string {
	line := "exec"
	for _, word := range words {
		line += " " + runbook.Quote(word)
	}
	return line
}

// inHome makes a relative folder one that cd takes neither for an option nor for a name to look up in CDPATH.
func inHome(dir string) string {
	if path.IsAbs(dir) || dir == "." || strings.HasPrefix(dir, "./") || strings.HasPrefix(dir, "../") {
		return dir
	}
	return "./" + dir
}

// checkWords refuses what exec and the loop over variables would read as their own, which no quoting prevents.
func checkWords(cmd runbook.Command) error {
	switch {
	case len(cmd.Args) == 0 || cmd.Args[0] == "":
		return errors.New("a command without a program")
	case strings.HasPrefix(cmd.Args[0], "-"), strings.Contains(cmd.Args[0], "="):
		return fmt.Errorf("a program can't be named %q", cmd.Args[0])
	}
	for _, pair := range cmd.Env {
		// The pair itself stays out of the error: its value may be secret.
		if name, _, found := strings.Cut(pair, "="); !found || !isVariable(name) {
			return errors.New("a variable that is not NAME=value")
		}
	}
	return nil
}

// isVariable reports whether every shell takes s as a variable's name.
func isVariable(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
