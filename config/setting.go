package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// setting is one variable as it was found: envconfig fills the value, declare the rest. The value is a Secret whatever
// it is, so that an environment can't be printed by accident.
//
// Its tags are envconfig's own `desc` and `default`, and two of ours: `need`, the first level of Need that uses it, and
// `must`, where it has no default and must be set. envconfig's `required` isn't used: it lets an empty variable
// through, and it stops at the first that is missing.
type setting struct {
	Variable
	need  Need
	value Secret
}

// Decode takes any text; envconfig calls it.
func (s *setting) Decode(text string) error { return s.value.Decode(text) }

// text is the value without white space around it, or else the default, or else "". Quotes around all of it are no part of
// it: a shell and systemd take those of NAME='sudo -n docker' away, and `docker run --env-file` does not
// (https://docs.docker.com/reference/cli/docker/container/run/#env).
func (s *setting) text() string {
	if text := strings.TrimSpace(unquoted(strings.TrimSpace(s.value.Reveal()))); text != "" {
		return text
	}
	return s.Default
}

func unquoted(text string) string {
	for _, quote := range []string{"'", `"`} {
		inside, opened := strings.CutPrefix(text, quote)
		inside, closed := strings.CutSuffix(inside, quote)
		if opened && closed && !strings.Contains(inside, quote) {
			return inside
		}
	}
	return text
}

// declare gives every setting of a struct its name and what its tags say. Names are envconfig's, so that what is
// documented is what is read.
func declare(prefix string, env any) ([]*setting, error) {
	var names bytes.Buffer
	if err := envconfig.Usagef(prefix, env, &names, "{{range .}}{{usage_key .}} {{end}}"); err != nil {
		return nil, fmt.Errorf("declare the environment: %w", err)
	}
	value := reflect.ValueOf(env).Elem()
	settings := make([]*setting, 0, value.NumField())
	for i, name := range strings.Fields(names.String()) {
		s := value.Field(i).Addr().Interface().(*setting)
		tag := value.Type().Field(i).Tag
		s.Variable = Variable{Name: name, Meaning: tag.Get("desc"), Default: tag.Get("default"), Required: tag.Get("must") != ""}
		s.need = needs[tag.Get("need")]
		settings = append(settings, s)
	}
	return settings, nil
}
