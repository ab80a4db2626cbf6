package dotenv

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"pgregory.net/rapid"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

var (
	pinnedApp = runbook.App{Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}}}
	newPins   = []runbook.Pin{{Variable: "API_IMAGE", Value: runbooktest.Image("api", 1).String()}, {Variable: "WEB_IMAGE", Value: runbooktest.Image("web", 1).String()}}
)

// editedRight is what is wrong with how a file was read and edited, where compose reads it. Compose's own reader is the
// judge: the pins are read as it does, after the edit it reads the new ones and all else as before, and what was put back
// reads as it did.
func editedRight(t interface{ Errorf(string, ...any) }, content []byte) {
	before, err := dotenv.UnmarshalBytesWithLookup(content, nil)
	if err != nil {
		return // compose refuses such a file, and so does the preflight
	}
	former := ReadPins(content, pinnedApp)
	for _, pin := range former {
		value, there := before[pin.Variable]
		if read, plain := pin.Plain(); there == pin.Absent || plain && read != value {
			t.Errorf("of %q compose reads %s as %q (%v), and we %+v", content, pin.Variable, value, there, pin)
		}
	}
	edited := EditPins(content, newPins)
	after, err := dotenv.UnmarshalBytesWithLookup(edited, nil)
	if err != nil {
		t.Errorf("compose doesn't read %q, which was %q: %v", edited, content, err)
	}
	for _, pin := range newPins {
		if after[pin.Variable] != pin.Value {
			t.Errorf("%q edited to %q reads as %q", content, edited, after[pin.Variable])
		}
		delete(before, pin.Variable)
		delete(after, pin.Variable)
	}
	delete(before, "") // a name alone at the file's end, without a line end, which compose takes for a value
	delete(after, "")
	if !maps.Equal(before, after) {
		t.Errorf("%q edited to %q has %q, had %q", content, edited, after, before)
	}
	if again := EditPins(edited, newPins); !bytes.Equal(again, edited) {
		t.Errorf("editing twice gave %q and %q", edited, again)
	}
	back := EditPins(edited, former)
	if got := ReadPins(back, pinnedApp); !slices.Equal(got, former) {
		t.Errorf("put back, %q reads as %v, want %v", content, got, former)
	}
	if there := !slices.ContainsFunc(former, func(pin runbook.Pin) bool { return pin.Absent }); there && !bytes.Equal(back, content) {
		t.Errorf("put back, %q is %q", content, back)
	}
}

func FuzzEditPins(f *testing.F) {
	for _, seed := range []string{
		"", "API_IMAGE=old\n", "API_IMAGE=old", "# API_IMAGE=x\nexport API_IMAGE = 'old' # why\nB=2\n", "A=\"x\nAPI_IMAGE=no\n\"\nAPI_IMAGE=yes\r\n",
		"API_IMAGE: old\n", "\ufeffAPI_IMAGE=1\n", "API_IMAGE=1\nAPI_IMAGE=2\n", "XAPI_IMAGE=1\nAPI_IMAGE_X=2\n", "A='un\nterminated", "API_IMAGE=", "=x\n==\n",
		"API_IMAGE=\"x\"#why\nA='1' WEB_IMAGE=2\n", "API_IMAGE\nWEB_IMAGE\r\nexport\n", "API_IMAGE= # none\n", "A=\"\\\\\"\nAPI_IMAGE=1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) { editedRight(t, content) })
}

// Files as people and tools write them, in every mixture.
func TestEditPins_AsComposeReadsIt(t *testing.T) {
	of := func(all ...string) *rapid.Generator[string] { return rapid.SampledFrom(all) }
	key := of("API_IMAGE", "WEB_IMAGE", "A", "B_2", "MY_API_IMAGE", "API_IMAGE_OLD", "a.b", "c-d")
	value := of("", "old", "x#y", "x # why", "# all", "${B_2:-}", "${A:-none}", "pa$$word", `a\b`, "'single $A \\'", `"double \" \n ${A:-none}"`,
		"\"two\nAPI_IMAGE=no\nlines\"", "'two\r\n  WEB_IMAGE: no\r\n'", `"x"# why`, `'y' B=2`, `"z"   # why`, "a b", "größe", `"ends in \\"`)
	line := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return of("", "   ", "# it's a comment", "#API_IMAGE=old", "A", "API_IMAGE", "export B").Draw(t, "line")
		}
		return of("", "", "export ", "  ", "\texport\t").Draw(t, "before") + key.Draw(t, "key") + of("=", "=", " = ", ": ", ":", "=\t").Draw(t, "sign") + value.Draw(t, "value")
	})
	rapid.Check(t, func(t *rapid.T) {
		end := of("\n", "\r\n").Draw(t, "end")
		content := of("", "\ufeff").Draw(t, "mark") + strings.Join(rapid.SliceOfN(line, 0, 8).Draw(t, "lines"), end) + of("", end).Draw(t, "last")
		editedRight(t, []byte(content))
	})
}

// What a look reads of the file says the same of the pins, and nothing of the other values.
func TestPinLines(t *testing.T) {
	var variables []string
	for _, service := range pinnedApp.Services {
		variables = append(variables, service.Variable)
	}
	for name, row := range map[string]struct{ content, want string }{
		"plain":                  {"SECRET=hunter2\nAPI_IMAGE=1\n", "1"},
		"in quotes of another":   {"API_IMAGE=1\nSECRET=\"hunter2\nAPI_IMAGE=2\n\"\n", "1"},
		"only in those":          {"SECRET='hunter2\nAPI_IMAGE=2\n'\n", ""},
		"exported":               {"export SECRET=hunter2\n export API_IMAGE=1 # why\n", "1"},
		"after a mark":           {"\ufeffAPI_IMAGE=1\nSECRET=hunter2\n", "1"},
		"Windows":                {"SECRET=hunter2\r\nAPI_IMAGE=1\r\n", "1"},
		"a quote in a comment":   {"# it's hunter2\nAPI_IMAGE=1\n# isn't it?\n", "1"},
		"a quote behind a value": {"SECRET=hunter2 # it's\nAPI_IMAGE=1\n", "1"},
		"an escaped quote":       {"SECRET=\"hunter2\\\"\nAPI_IMAGE=2\"\nAPI_IMAGE: 1\n", "1"},
		"umlauts and percents":   {"SECRET=hünter2%hunter2\nAPI_IMAGE=1", "1"},
		"another name":           {"MY_API_IMAGE=hunter2\nAPI_IMAGE_OLD=hunter2\n", ""},
		"twice":                  {"API_IMAGE=2\nAPI_IMAGE='1'\n", "1"},
	} {
		file := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(file, []byte(row.content), 0o600); err != nil {
			t.Fatal(err)
		}
		app := runbook.App{Services: pinnedApp.Services}
		sed := exec.CommandContext(t.Context(), "sed", "-E", PinLines(variables), file)
		sed.Env = []string{"LC_ALL=C"}
		seen, err := sed.Output()
		if got := ReadPins(seen, app)[0]; err != nil || got.PlainValue() != row.want || got.Absent != (row.want == "") || bytes.Contains(seen, []byte("hunter2")) {
			t.Errorf("%s: it reads %+v, %v from\n%s", name, got, err, seen)
		}
	}
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
		{"twice", "API_IMAGE=1\nAPI_IMAGE=2\n", "API_IMAGE=1\nAPI_IMAGE=new\n"},
		{"commented out", "#API_IMAGE=old\n", "#API_IMAGE=old\nAPI_IMAGE=new\n"},
		{"another name", "MY_API_IMAGE=1\nAPI_IMAGE_OLD=2\n", "MY_API_IMAGE=1\nAPI_IMAGE_OLD=2\nAPI_IMAGE=new\n"},
		{"a comment at once behind quotes", "API_IMAGE=\"old\"# why\n", "API_IMAGE=\"new\"# why\n"},
		{"another one on its line", "API_IMAGE='old' B=2\n", "API_IMAGE='new' B=2\n"},
		{"behind a mark", "\ufeffAPI_IMAGE=old\n", "\ufeffAPI_IMAGE=new\n"},
		{"as YAML has it", "API_IMAGE: old\n", "API_IMAGE: new\n"},
		{"a name alone", "API_IMAGE\n", "API_IMAGE\nAPI_IMAGE=new\n"},
		{"blanks", "  API_IMAGE = old  \n", "  API_IMAGE = new  \n"},
	} {
		if got := string(EditPins([]byte(row.content), pins)); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}
