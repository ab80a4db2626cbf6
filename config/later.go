package config

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// notInThisVersion lists the variables, those of an app without their prefix, that are declared and not yet obeyed.
// Setting one is a problem: who sets it counts on what it does. A version that obeys one removes its line.
var notInThisVersion = []string{
	"ROLLBACK_SIGNERS",
}

// notYet refuses what would be ignored.
func (r *reader) notYet() {
	for _, s := range r.settings {
		if s.NotYet && s.asks() {
			r.problem(*s, "not in this version", "leave it out")
		}
	}
}

// isLater reports whether only a later version will obey the variable. prefix is an app's, or "".
func isLater(prefix, name string) bool {
	if prefix != "" {
		name = strings.TrimPrefix(name, prefix+"_")
	}
	return slices.Contains(notInThisVersion, name)
}

// asks reports whether somebody set it to anything but "false": switching off what is not there is fine.
func (s *setting) asks() bool {
	text := strings.TrimSpace(os.Getenv(s.Name)) // not the value: a default is in it by now
	on, err := strconv.ParseBool(text)
	return text != "" && (s.Default != "false" || err == nil && on)
}
