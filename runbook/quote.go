package runbook

import "strings"

// Quote makes one word that a shell reads back as s, whatever s holds. It is the one place where anything is quoted.
//
// A single quote inside is written '"'"' and not '\”: fish reads backslashes inside single quotes, and login shells
// are not ours to choose. What is plainly safe stays bare, since people read these lines at 3 a.m.
// A NUL byte can't be part of any argument; it is dropped.
func Quote(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if s != "" && strings.Trim(s, safeCharacters) == "" && s[0] != '=' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

// safeCharacters mean nothing to sh, bash, dash, zsh, fish or ksh. Not among them: ~ and = at a word's start
// (zsh expands =name), # and everything that globs.
const safeCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@,+=%"
