package runbook

import "strings"

// Command is one command as data: words, not a line, so that a hostile value stays one word.
// Pure functions build it; a host quotes and runs it.
type Command struct {
	Args []string `json:"args"`          // the program and its arguments; at least one word
	Dir  string   `json:"dir"`           // the folder it runs in; empty is the user's home
	Env  []string `json:"env,omitempty"` // NAME=value pairs set for this command alone
}

// String is the command as a person would type it into a POSIX shell, quoted word by word.
func (c Command) String() string {
	words := make([]string, 0, len(c.Env)+len(c.Args))
	for _, pair := range c.Env {
		name, value, _ := strings.Cut(pair, "=")
		words = append(words, name+"="+Quote(value))
	}
	for _, arg := range c.Args {
		words = append(words, Quote(arg))
	}
	line := strings.Join(words, " ")
	if c.Dir != "" {
		return "cd " + Quote(c.Dir) + " && " + line
	}
	return line
}

// Quote makes one word that a shell reads back as s, whatever s holds. It is the one place where anything is quoted.
//
// Single quotes hold everything but themselves in POSIX shells and zsh; fish also reads backslashes inside them, and
// login shells are not ours to choose. So both stand in double quotes, where \\ is a backslash to all of them.
// What is plainly safe stays bare, since people read these lines at 3 a.m.
// A NUL byte can't be part of any argument; it is dropped.
func Quote(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if s != "" && strings.Trim(s, safeCharacters) == "" && s[0] != '=' {
		return s
	}
	return "'" + outsideQuotes.Replace(s) + "'"
}

var outsideQuotes = strings.NewReplacer("'", `'"'"'`, `\`, `'"\\"'`)

// safeCharacters mean nothing to sh, bash, dash, zsh, fish or ksh. Not among them: ~ and = at a word's start
// (zsh expands =name), # and everything that globs.
const safeCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@,+=%"
