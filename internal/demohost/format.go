package demohost

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// templateStatus is what docker ends with when a --format can't be read.
const templateStatus = 64

// newFormat reads a --format as docker does: a template with a function json.
func newFormat(text string) (*template.Template, error) {
	functions := template.FuncMap{"json": toJSON}
	t, err := template.New("").Funcs(functions).Parse(text)
	if err != nil {
		return nil, &failure{status: templateStatus, text: "template parsing error: " + err.Error()}
	}
	return t, nil
}

// toJSON gives JSON without HTML escapes, as docker's does.
func toJSON(v any) (string, error) {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSpace(out.String()), err
}

// printAll prints each thing by the format, one a line, or all of them as one JSON array where the format is empty.
func printAll(w io.Writer, format string, things []any) error {
	if format == "" {
		content, err := json.MarshalIndent(append([]any{}, things...), "", "    ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", content)
		return err
	}
	t, err := newFormat(format)
	if err != nil {
		return err
	}
	for _, thing := range things {
		line, err := execute(t, thing)
		if err != nil {
			return fmt.Errorf("template parsing error: %w", err)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// execute fills a template in as docker does: with its own types, and where they lack what is named, as .Id, with its
// JSON, where what is empty is not there and names of missing keys are errors.
func execute(t *template.Template, thing any) (string, error) {
	var line strings.Builder
	if t.Execute(&line, thing) == nil {
		return line.String(), nil
	}
	content, err := json.Marshal(thing)
	if err != nil {
		return "", err
	}
	var raw any
	if err := json.Unmarshal(content, &raw); err != nil {
		return "", err
	}
	line.Reset()
	err = t.Option("missingkey=error").Execute(&line, raw)
	return line.String(), err
}
