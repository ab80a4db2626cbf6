package ssh

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"rollbackbot/runbook"
)

// remoteLine is the one line that a host is asked to run for a command.
//
// sshd hands it to the user's shell with -c, which reads no profile: variables that a person has would vanish, and
// compose would render blanks for them. So the line replaces that shell by a login shell. Inside, the command replaces
// the shell in turn, so that its exit status and its signals are its own.
// $SHELL is the user's and may be fish or zsh; csh and tcsh take no -lc.
func remoteLine(cmd runbook.Command) (string, error) {
	inner, err := innerLine(cmd)
	if err != nil {
		return "", err
	}
	return `exec "$SHELL" -lc ` + runbook.Quote(inner), nil
}

func innerLine(cmd runbook.Command) (string, error) {
	if err := checkWords(cmd); err != nil {
		return "", err
	}
	words := []string{"exec"}
	if len(cmd.Env) > 0 {
		words = append(words, "env")
	}
	for _, pair := range cmd.Env {
		name, value, _ := strings.Cut(pair, "=")
		words = append(words, name+"="+runbook.Quote(value))
	}
	for _, arg := range cmd.Args {
		words = append(words, runbook.Quote(arg))
	}
	line := strings.Join(words, " ")
	if cmd.Dir != "" {
		line = "cd " + runbook.Quote(folder(cmd.Dir)) + " && " + line
	}
	return line, nil
}

// folder makes a relative folder one that cd takes neither for an option nor for a name to look up in CDPATH.
func folder(dir string) string {
	if path.IsAbs(dir) || dir == "." || strings.HasPrefix(dir, "./") || strings.HasPrefix(dir, "../") {
		return dir
	}
	return "./" + dir
}

// checkWords refuses what exec and env would read as their own, which no quoting prevents.
func checkWords(cmd runbook.Command) error {
	switch {
	case len(cmd.Args) == 0 || cmd.Args[0] == "":
		return errors.New("a command without a program")
	case strings.HasPrefix(cmd.Args[0], "-"):
		return fmt.Errorf("a program can't be named %q", cmd.Args[0])
	case len(cmd.Env) > 0 && strings.Contains(cmd.Args[0], "="):
		return fmt.Errorf("a program can't be named %q beside variables", cmd.Args[0])
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
