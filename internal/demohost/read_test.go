package demohost

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func lookupIn(values map[string]string) lookup {
	return func(name string) (string, bool) { value, ok := values[name]; return value, ok }
}

func TestInterpolate(t *testing.T) {
	get := lookupIn(map[string]string{"A": "a", "EMPTY": ""})
	for text, want := range map[string]string{
		"":                    "",
		"plain":               "plain",
		"$A":                  "a",
		"${A}b$A.c":           "aba.c",
		"$$A $${A}":           "$A ${A}",
		"${B:-x}${B-y}":       "xy",
		"${EMPTY:-x}":         "x",
		"${EMPTY-x}":          "",
		"${A:-x}":             "a",
		"${A:+x}${B:+y}":      "x",
		"${EMPTY:+x}":         "",
		"${EMPTY+x}":          "x",
		"${B:-${C:-${A}}}":    "a",
		"${A:?no}${EMPTY?no}": "a",
		"${B:-}":              "",
	} {
		var unset []string
		got, err := interpolate(text, get, func(name string) { unset = append(unset, name) })
		if err != nil || got != want || unset != nil {
			t.Errorf("%s: %q, %v, unset %v; want %q", text, got, err, unset, want)
		}
	}
}

func TestInterpolate_TellsOfBlanks(t *testing.T) {
	var unset []string
	got, err := interpolate("$B-${C}-${D:-$E}", lookupIn(nil), func(name string) { unset = append(unset, name) })
	if want := []string{"B", "C", "E"}; err != nil || got != "--" || !slices.Equal(unset, want) {
		t.Errorf("%q, %v, unset %v; want %v", got, err, unset, want)
	}
}

func TestInterpolate_Refuses(t *testing.T) {
	for text, want := range map[string]string{
		"${B:?say it}": "required variable B is missing a value: say it",
		"${B?}":        "required variable B is missing a value: ",
		"${B":          "invalid interpolation format",
		"$":            "invalid interpolation format",
		"$1":           "invalid interpolation format",
		"${}":          "invalid interpolation format",
		"${B!x}":       "invalid interpolation format",
		"${B:}":        "invalid interpolation format",
	} {
		if got, err := interpolate(text, lookupIn(nil), func(string) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestReadDotenv(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	const content = "# a comment\n\nA=1\n  B = two words  \nexport C=c # tail\nD='$A # raw'\nE=\"$A\\n\\\"x\\\" \\$A\" # tail\n" +
		"F=\"first\nA=9\nlast\"\nG=x#y\r\nH=\nI=${A}${OUTER}\nOUTER=file\nJ=$OUTER\nINHERITED\nUNKNOWN\nLAST=end"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readDotenv(path, lookupIn(map[string]string{"OUTER": "o", "INHERITED": "i"}))
	want := map[string]string{
		"A": "1", "B": "two words", "C": "c", "D": "$A # raw", "E": "1\n\"x\" $A", "F": "first\nA=9\nlast", "G": "x#y", "H": "", "I": "1o",
		"OUTER": "file", "J": "o", "INHERITED": "i", "LAST": "end",
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	if got, err := readDotenv(path+".absent", lookupIn(nil)); err != nil || got != nil {
		t.Errorf("a file that isn't there: %v, %v", got, err)
	}
}

func TestReadDotenv_NamesTheLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	for content, want := range map[string]string{
		"A=1\nB=\"x\ny\"\nbad key=2\n": "line 4: key cannot contain a space",
		"A=1\nB=\"x\n":                 "line 2: unterminated quoted value B",
		"A=${B\n":                      "invalid interpolation format",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readDotenv(path, lookupIn(nil)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, %v; want %q", content, got, err, want)
		}
	}
}

func TestLoadProject_Refuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stack.yml")
	if _, err := loadProject(file, lookupIn(nil)); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("a file that isn't there: %v", err)
	}
	for content, want := range map[string]string{
		"":           "empty compose file",
		"services: ": "empty compose file",
		"services: {api: {image: x, nonsense: y}}":               "nonsense",
		"services: {api: {restart: always}}":                     `service "api" has neither an image nor a build context specified`,
		"services: {api: {image: '$NONE'}}":                      `service "api" has neither an image nor a build context specified`,
		"services: {api: {image: '${NONE:?set it}'}}":            "error while interpolating services.api.image: required variable NONE is missing a value: set it",
		"services: {api: {image: x, command: ['${NO?}']}}":       "error while interpolating services.api.command[0]: required variable NO",
		"services: {api: {image: x, restart: often}}":            "unknown policy 'often'",
		"services: {api: {image: x, ports: ['80']}}":             "invalid port",
		"services: {api: {image: x, ports: ['127.0.0.1:x:80']}}": "invalid containerPort",
		"services: {api: {image: x, volumes: ['./a:/b']}}":       "invalid volume",
		"services: [": "parsing",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadProject(file, lookupIn(nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", content, err, want)
		}
	}
}

func TestLoadProject_NumbersAndBlanks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stack.yml")
	const content = "services: {api: {image: x, scale: $N, environment: {QUOTED: \"$N\", BLANK: $NONE, NUMBER: $N, HANDED: , GONE: }}}"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := loadProject(file, lookupIn(map[string]string{"N": "3", "HANDED": "on"}))
	if err != nil {
		t.Fatal(err)
	}
	api := p.Services["api"]
	for name, want := range map[string]string{"QUOTED": "3", "BLANK": "", "NUMBER": "3", "HANDED": "on"} {
		if got := api.Environment[name]; got == nil || *got != want {
			t.Errorf("%s: %v, want %q", name, got, want)
		}
	}
	if api.Environment["GONE"] != nil || api.replicas() != 3 || !slices.Equal(p.warnings, []string{"NONE"}) {
		t.Errorf("rendered %+v with warnings %v", api, p.warnings)
	}
	if p.Name != strings.ToLower(filepath.Base(filepath.Dir(file))) {
		t.Errorf("its name is %s", p.Name)
	}
}
