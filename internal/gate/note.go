package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"rollbackbot/runbook"
)

// noteFields are what a note may have, in the words of the command `deployed`.
var noteFields = []string{"images", "version", "commit", "migration"}

// decodeNote reads a note strictly: no other fields, none twice, and all that is wrong together, as a *runbook.NoteError.
func decodeNote(body []byte, app runbook.App) (runbook.Deployed, error) {
	note := runbook.Deployed{Images: map[string]runbook.Image{}}
	fields, problems := members("", `{"images": {"api": "name@sha256:…"}, "version": "v42", "migration": "none"}`, body)
	var migration string
	for _, f := range fields {
		switch f.name {
		case "images":
			problems = append(problems, readImages(f.value, note.Images)...)
		case "version":
			problems = append(problems, readText(f, &note.Version)...)
		case "commit":
			problems = append(problems, readText(f, &note.Commit)...)
		case "migration":
			problems = append(problems, readText(f, &migration)...)
		default:
			problems = append(problems, fmt.Sprintf("there is no field %s; there are: %s", quote(f.name), strings.Join(noteFields, ", ")))
		}
	}
	var known bool
	if note.Migration, known = runbook.ParseMigration(migration); !known {
		problems = append(problems, fmt.Sprintf("migration: %s is not none, yes or unknown", quote(migration)))
	}
	if len(fields) == 0 && len(problems) > 0 {
		return note, &runbook.NoteError{Problems: problems} // it is no JSON: nothing more can be said of it
	}
	var unfit *runbook.NoteError
	if err := note.Check(app); errors.As(err, &unfit) {
		problems = append(problems, unfit.Problems...)
	}
	if len(problems) > 0 {
		return note, &runbook.NoteError{Problems: problems}
	}
	return note, nil
}

func readImages(value []byte, images map[string]runbook.Image) (problems []string) {
	pairs, problems := members("images: ", `{"api": "name@sha256:…"}`, value)
	for _, pair := range pairs {
		var ref string
		if wrong := readText(pair, &ref); wrong != nil {
			problems = append(problems, wrong...)
			images[pair.name] = runbook.Image{Name: "?"}
			continue
		}
		image, err := runbook.ParseImage(ref)
		if err != nil {
			problems = append(problems, fmt.Sprintf("images: %s: %s", runbook.Truncate(pair.name, maxShown), runbook.Truncate(err.Error(), 3*maxShown)))
			images[pair.name] = runbook.Image{Name: ref} // it is wrong, not missing
			continue
		}
		images[pair.name] = image
	}
	return problems
}

func readText(f member, to *string) []string {
	if len(f.value) == 0 || f.value[0] != '"' || json.Unmarshal(f.value, to) != nil {
		return []string{fmt.Sprintf("%s: it is no text in quotes", runbook.Truncate(f.name, maxShown))}
	}
	return nil
}

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members reads one JSON object and nothing after it. A name that comes twice is a problem: which one counts would be
// anybody's guess. where begins each problem, and example is what would have been right.
func members(where, example string, text []byte) (list []member, problems []string) {
	if !utf8.Valid(text) {
		return nil, []string{where + "it is no UTF-8"}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, []string{where + "it is no JSON object, as in " + example}
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, []string{where + "it is no JSON: " + err.Error()}
		}
		m := member{name: name.(string)} // in an object, a decoder gives nothing else here
		if err := decoder.Decode(&m.value); err != nil {
			return nil, []string{where + "it is no JSON: " + err.Error()}
		}
		if slices.ContainsFunc(list, func(other member) bool { return other.name == m.name }) {
			problems = append(problems, fmt.Sprintf("%s%s is there twice", where, quote(m.name)))
		}
		list = append(list, m)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, []string{where + "it is no JSON: it ends too early"}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, []string{where + "something follows the JSON object"}
	}
	return list, problems
}

// maxShown bounds what is quoted of what was sent, in characters.
const maxShown = 60

func quote(text string) string { return fmt.Sprintf("%q", runbook.Truncate(text, maxShown)) }
