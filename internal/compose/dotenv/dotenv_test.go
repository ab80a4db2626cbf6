package dotenv

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

func FuzzEditPins(f *testing.F) {
	for _, seed := range []string{
		"", "API_IMAGE=old\n", "API_IMAGE=old", "# API_IMAGE=x\nexport API_IMAGE = 'old' # why\nB=2\n", "A=\"x\nAPI_IMAGE=no\n\"\nAPI_IMAGE=yes\r\n",
		"API_IMAGE: old\n", "\ufeffAPI_IMAGE=1\n", "API_IMAGE=1\nAPI_IMAGE=2\n", "XAPI_IMAGE=1\nAPI_IMAGE_X=2\n", "A='un\nterminated", "API_IMAGE=", "=x\n==\n",
	} {
		f.Add([]byte(seed))
	}
	app := runbook.App{Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}}}
	f.Fuzz(func(t *testing.T, content []byte) {
		pins := []runbook.Pin{{Variable: "API_IMAGE", Value: runbooktest.Image("api", 1).String()}, {Variable: "WEB_IMAGE", Value: runbooktest.Image("web", 1).String()}}
		former := ReadPins(content, app)
		edited := EditPins(content, pins)
		if unclosed(content) {
			return // compose refuses such a file, and so does the preflight
		}
		if got := ReadPins(edited, app); !slices.Equal(got, pins) {
			t.Errorf("%q edited to %q reads as %v", content, edited, got)
		}
		if again := EditPins(edited, pins); !bytes.Equal(again, edited) {
			t.Errorf("editing twice gave %q and %q", edited, again)
		}
		if got := ReadPins(EditPins(edited, former), app); !slices.Equal(got, former) {
			t.Errorf("put back, %q reads as %v, want %v", content, got, former)
		}
		if a, b := others(content), others(edited); !slices.Equal(a, b) {
			t.Errorf("other entries of %q changed: %q, %q", content, a, b)
		}
	})
}

// unclosed reports whether a quote is open at the file's end.
func unclosed(content []byte) bool {
	for _, e := range entries(content) {
		if e.value < len(content) && (content[e.value] == '"' || content[e.value] == '\'') && closingQuote(content, e.value) == 0 {
			return true
		}
	}
	return false
}

// others are the assignments that no pin is about, byte for byte.
func others(content []byte) []string {
	var out []string
	for _, e := range entries(content) {
		if e.key != "API_IMAGE" && e.key != "WEB_IMAGE" {
			out = append(out, strings.TrimRight(string(content[e.start:e.end]), "\r\n"))
		}
	}
	return out
}

func TestEditPins_OnlyTheValueChanges(t *testing.T) {
	pins := []runbook.Pin{{Variable: "API_IMAGE", Value: "new"}}
	for _, row := range []struct{ name, content, want string }{
		{"plain", "A=1\nAPI_IMAGE=old\nB=2\n", "A=1\nAPI_IMAGE=new\nB=2\n"},
		{"exported, quoted, with a comment", "export API_IMAGE='old' # pinned by hand\n", "export API_IMAGE=new # pinned by hand\n"},
		{"no line break at the end", "A=1", "A=1\nAPI_IMAGE=new\n"},
		{"an empty file", "", "API_IMAGE=new\n"},
		{"Windows line breaks", "A=1\r\nAPI_IMAGE=old\r\n", "A=1\r\nAPI_IMAGE=new\r\n"},
		{"appended with Windows line breaks", "A=1\r\n", "A=1\r\nAPI_IMAGE=new\r\n"},
		{"a value over several lines", "A=\"\nAPI_IMAGE=no\n\"\n", "A=\"\nAPI_IMAGE=no\n\"\nAPI_IMAGE=new\n"},
		{"twice", "API_IMAGE=1\nAPI_IMAGE=2\n", "API_IMAGE=new\nAPI_IMAGE=new\n"},
		{"commented out", "#API_IMAGE=old\n", "#API_IMAGE=old\nAPI_IMAGE=new\n"},
		{"another name", "MY_API_IMAGE=1\nAPI_IMAGE_OLD=2\n", "MY_API_IMAGE=1\nAPI_IMAGE_OLD=2\nAPI_IMAGE=new\n"},
		{"blanks", "  API_IMAGE = old  \n", "  API_IMAGE = new  \n"},
	} {
		if got := string(EditPins([]byte(row.content), pins)); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}
