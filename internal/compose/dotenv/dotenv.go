// Package dotenv reads and writes the pins in a dotenv file as compose reads it.
package dotenv

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"

	"rollbackbot/runbook"
)

// ReadPins gives what the pins file says of each of the app's variables, in their order. Where a variable
// stands more than once, the last one counts, as it does for compose.
func ReadPins(content []byte, a runbook.App) []runbook.Pin {
	pins := make([]runbook.Pin, len(a.Services))
	for i, service := range a.Services {
		pins[i] = runbook.Pin{Variable: service.Variable, Absent: true}
		for _, e := range entries(content) {
			if e.key == service.Variable {
				pins[i] = runbook.Pin{Variable: service.Variable, Value: string(content[e.value:e.valueEnd])}
			}
		}
	}
	return pins
}

// Values are what a dotenv file says of each variable, without quotes and as it stands: nothing is expanded.
func Values(content []byte) map[string]string {
	values := map[string]string{}
	for _, e := range entries(content) {
		values[e.key] = strings.Trim(string(content[e.value:e.valueEnd]), `"'`)
	}
	return values
}

// EditPins gives the content with each pin's value in place of what stood there; where its variable stands more than once,
// in the last place, which is the one that counts. A variable that doesn't stand there yet is appended, and the line of an
// Absent pin goes. Every other byte stays: `export`, blanks and a comment behind the value as well.
func EditPins(content []byte, pins []runbook.Pin) []byte {
	for _, pin := range pins {
		content = editPin(content, pin)
	}
	return content
}

func editPin(content []byte, pin runbook.Pin) []byte {
	var of []entry
	for _, e := range entries(content) {
		if e.key == pin.Variable {
			of = append(of, e)
		}
	}
	switch {
	case pin.Absent:
		return without(content, of)
	case len(of) == 0:
		return appended(content, pin)
	}
	last := of[len(of)-1]
	return bytes.Join([][]byte{content[:last.value], []byte(last.written(content, pin.Value)), content[last.valueEnd:]}, nil)
}

// without is the content without these entries, and without the lines on which nothing else stands.
func without(content []byte, gone []entry) []byte {
	var out bytes.Buffer
	kept := 0
	for _, e := range gone {
		from, to := e.start, e.valueEnd
		line := content[bytes.LastIndexByte(content[:from], '\n')+1:]
		rest := content[to:lineEnd(content, to)]
		if text := bytes.TrimSpace(rest); len(text) == 0 || text[0] == '#' {
			if before := line[:len(line)-len(content[from:])]; len(bytes.TrimSpace(before)) == 0 {
				from -= len(before)
			}
			to += len(rest)
		}
		out.Write(content[kept:from])
		kept = to
	}
	out.Write(content[kept:])
	return out.Bytes()
}

// appended is the content with a line more, which ends as its other lines do.
func appended(content []byte, pin runbook.Pin) []byte {
	newline := "\n"
	if bytes.Contains(content, []byte("\r\n")) {
		newline = "\r\n"
	}
	line := pin.Variable + "=" + pin.Value + newline
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		line = newline + line
	}
	return append(bytes.Clone(content), line...)
}

// entry is one assignment of a dotenv file: it begins at start, and [value, valueEnd) is its value with its quotes.
type entry struct {
	key                    string
	start, value, valueEnd int
}

// written is a value as it has to stand there. Quotes stay where what follows them on the line would belong to a value
// without any: a comment without a blank before it, or another assignment.
func (e entry) written(content []byte, value string) string {
	quoted := e.valueEnd > e.value && isQuote(content[e.value])
	behind, _, _ := bytes.Cut(content[e.valueEnd:lineEnd(content, e.valueEnd)], []byte(" #"))
	if quoted && len(bytes.TrimSpace(behind)) > 0 && (value == "" || !isQuote(value[0])) {
		return string(content[e.value]) + value + string(content[e.value])
	}
	return value
}

// entries reads a dotenv file as compose does (compose-go: dotenv/parser.go): a quoted value may hold line breaks, so that a
// line which looks like an assignment need not be one, and another one may follow it on its line. What compose can't read
// is passed over line by line: it refuses the file.
func entries(content []byte) (all []entry) {
	at := 0
	if bytes.HasPrefix(content, byteOrderMark) {
		at = len(byteOrderMark)
	}
	for {
		at += leading(content[at:], unicode.IsSpace)
		switch {
		case at == len(content):
			return all
		case content[at] == '#':
			at = lineEnd(content, at)
			continue
		}
		e, next := readEntry(content, at)
		if e.key != "" {
			all = append(all, e)
		}
		at = next
	}
}

var byteOrderMark = []byte("\ufeff")

var exported = regexp.MustCompile(`^export\s+`)

// readEntry reads what begins at start, and says where the next one may begin. Where it is no assignment, it has no key.
func readEntry(content []byte, start int) (e entry, next int) {
	at := start
	if exported.Match(content[at:]) {
		at += len("export")
		at += leading(content[at:], isBlank)
	}
	key := content[at : at+leading(content[at:], func(r rune) bool { return isBlank(r) || isKeyRune(r) })]
	at += len(key)
	e = entry{key: string(bytes.TrimRightFunc(key, unicode.IsSpace)), start: start}
	switch {
	case at == len(content) || content[at] != '=' && content[at] != ':':
		return entry{}, lineEnd(content, at) // a name alone stands for what is exported
	case strings.Contains(e.key, " "):
		return entry{}, lineEnd(content, at)
	}
	at++
	e.value = at + leading(content[at:], isBlank)
	if e.value < len(content) && isQuote(content[e.value]) {
		if closing := closingQuote(content, e.value); closing > 0 {
			e.valueEnd = closing + 1
			return e, e.valueEnd
		}
	}
	next = lineEnd(content, e.value)
	value, _, _ := bytes.Cut(content[e.value:next], []byte(" #"))
	e.valueEnd = e.value + len(bytes.TrimRightFunc(value, unicode.IsSpace))
	return e, next
}

// leading is how many bytes the runes at the beginning have that are of a kind.
func leading(content []byte, kind func(rune) bool) int {
	return len(content) - len(bytes.TrimLeftFunc(content, kind))
}

func lineEnd(content []byte, from int) int {
	if i := bytes.IndexByte(content[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(content)
}

// isBlank reports whether compose passes over a rune within a line.
func isBlank(r rune) bool { return strings.ContainsRune("\t\v\f\r \u0085\u00a0", r) }

func isKeyRune(r rune) bool {
	return strings.ContainsRune("_.-[]", r) || unicode.IsLetter(r) || unicode.IsNumber(r)
}

func isQuote(b byte) bool { return b == '"' || b == '\'' }

// closingQuote finds the quote that ends the value opened at; a backslash hides the one behind it. 0: there is none.
func closingQuote(content []byte, open int) int {
	for i := open + 1; i < len(content); i++ {
		switch content[i] {
		case '\\':
			i++
		case content[open]:
			return i
		}
	}
	return 0
}

// PinLines is a script for sed -E: of a dotenv file it leaves the lines in which one of the variables stands, and of all others
// what tells where values begin and end. The rest are secrets, and becomes x. What stands in another variable's quoted
// value is no pin, though it looks like one: only who sees the quotes can tell.
func PinLines(variables []string) string {
	return `/(^|[^A-Za-z0-9_.-])(` + strings.Join(variables, "|") + `)[[:space:]]*[=:]/b
s/%/x/g
s/^([[:space:]]*)export([[:space:]])/\1%\2/
s/[^[:space:]"'\#=:%]/x/g
s/%/export/`
}
