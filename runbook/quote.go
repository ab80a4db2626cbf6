package runbook

import "strings"

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
