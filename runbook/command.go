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
