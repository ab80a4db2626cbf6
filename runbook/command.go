package runbook

import (
	"strings"
	"time"
)

// DefaultTimeout bounds a command that names no Timeout. Looking commands end in well under a second
// (measured: docker 20 to 30 ms, docker compose 100 ms); 30 s is also the bound of the whole preflight.
const DefaultTimeout = 30 * time.Second

// Command is one command as data: words, not a line, so that a hostile value stays one word.
// Pure functions build it; a Target quotes and runs it.
type Command struct {
	Args    []string      `json:"args"`          // the program and its arguments; at least one word
	Dir     string        `json:"dir"`           // the folder it runs in; empty is the user's home
	Env     []string      `json:"env,omitempty"` // NAME=value pairs set for this command alone
	Stdin   []byte        `json:"-"`             // read by the command; never shown, logged or journalled
	Timeout time.Duration `json:"-"`             // bounds the run as seen from here; zero means DefaultTimeout
}

// String is the command as a person would type it into a POSIX shell, quoted word by word, without Stdin.
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

// Result is how a command ended: the program ran and left this status.
type Result struct {
	Status int // the exit status; 0 is success
	Stdout []byte
	Stderr []byte
}
