package demohost

import (
	"fmt"
	"os"
	"strings"
)

// lookup gives a variable's value; false where it isn't set.
type lookup func(name string) (string, bool)

// readDotenv reads an environment file as compose does: `export` in front, comments behind a blank, values in single
// quotes as they stand, others with their variables filled in from the environment and from the lines above.
// A file that isn't there is empty.
func readDotenv(path string, environment lookup) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := dotenv{text: strings.ReplaceAll(string(content), "\r\n", "\n"), line: 1, environment: environment, values: map[string]string{}}
	for d.text != "" {
		if err := d.entry(); err != nil {
			return nil, fmt.Errorf("failed to read %s: line %d: %w", path, d.line, err)
		}
	}
	return d.values, nil
}

type dotenv struct {
	text        string // what is still to be read, from the beginning of a line
	line        int    // its number, from 1
	environment lookup
	values      map[string]string
}

// entry reads one assignment, or one line without any.
func (d *dotenv) entry() error {
	line, _, _ := strings.Cut(d.text, "\n")
	trimmed := strings.TrimSpace(line)
	if trimmed == "" || trimmed[0] == '#' {
		d.skip(len(line))
		return nil
	}
	key, _, assigned := strings.Cut(line, "=")
	name := strings.TrimSpace(strings.TrimPrefix(strings.TrimLeft(key, " \t"), "export "))
	if strings.ContainsAny(name, " \t") {
		return fmt.Errorf("key cannot contain a space")
	}
	if !assigned {
		// A name alone hands on what the environment says.
		if value, ok := d.environment(name); ok {
			d.values[name] = value
		}
		d.skip(len(line))
		return nil
	}
	return d.assign(name, len(key)+1)
}

// assign reads the value that begins at an offset of the text.
func (d *dotenv) assign(name string, at int) error {
	at += len(d.text[at:]) - len(strings.TrimLeft(d.text[at:], " \t"))
	if at < len(d.text) && (d.text[at] == '\'' || d.text[at] == '"') {
		return d.assignQuoted(name, at)
	}
	value, _, _ := strings.Cut(d.text[at:], "\n")
	d.skip(at + len(value))
	value, _, _ = strings.Cut(value, " #")
	return d.set(name, strings.TrimSpace(value))
}

func (d *dotenv) assignQuoted(name string, at int) error {
	quote := d.text[at]
	end := at + 1
	for end < len(d.text) && d.text[end] != quote {
		if d.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(d.text) {
		return fmt.Errorf("unterminated quoted value %s", name)
	}
	value := d.text[at+1 : end]
	rest, _, _ := strings.Cut(d.text[end:], "\n")
	d.skip(end + len(rest))
	if quote == '\'' {
		d.values[name] = value
		return nil
	}
	return d.set(name, unescape.Replace(value))
}

// unescape leaves a dollar that was hidden as one that interpolate hides.
var unescape = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\"`, `"`, `\\`, `\`, `\$`, "$$")

func (d *dotenv) set(name, value string) error {
	filled, err := interpolate(value, d.lookup, func(string) {})
	d.values[name] = filled
	return err
}

func (d *dotenv) lookup(name string) (string, bool) {
	if value, ok := d.environment(name); ok {
		return value, true
	}
	value, ok := d.values[name]
	return value, ok
}

// skip goes on behind the end of the line that lies n bytes ahead.
func (d *dotenv) skip(n int) {
	d.line += strings.Count(d.text[:n], "\n") + 1
	d.text = strings.TrimPrefix(d.text[n:], "\n")
}
