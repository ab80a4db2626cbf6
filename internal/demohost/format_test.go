package demohost

import (
	"strings"
	"testing"
)

// TestFormat_ReadsTypesAndThenJSON is what real engines do: a template that names .Id sees docker's JSON, in which a
// container without a HEALTHCHECK has no Health at all.
func TestFormat_ReadsTypesAndThenJSON(t *testing.T) {
	view := containerView{ID: "c0ffee", State: &stateView{Status: "running"}}
	for format, want := range map[string]string{
		"{{.ID}} {{if .State.Health}}yes{{else}}no{{end}}": "c0ffee no\n",
		"{{.Id}} {{.State.Status}}":                        "c0ffee running\n",
		"{{.Id}} {{if .State.Health}}yes{{else}}no{{end}}": "",
	} {
		var out strings.Builder
		err := printAll(&out, format, []any{view})
		if out.String() != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", format, out.String(), err, want)
		}
	}
}
