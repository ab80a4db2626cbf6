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
		var line strings.Builder
		if err := t.Execute(&line, thing); err != nil {
			return fmt.Errorf("template parsing error: %w", err)
		}
		if _, err := fmt.Fprintln(w, line.String()); err != nil {
			return err
		}
	}
	return nil
}
