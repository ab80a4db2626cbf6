// Package dotenv reads and writes the pins in a dotenv file as compose reads it.
package dotenv

import (
	"bytes"
	"strings"

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

// EditPins gives the content with each pin's value in place of what stood there, wherever its variable stands; a
// variable that doesn't stand there yet is appended, and the line of an Absent pin goes. Every other byte stays.
// Only the value of a line is replaced: `export`, blanks and a comment behind it stay as they are.
func EditPins(content []byte, pins []runbook.Pin) []byte {
	for _, pin := range pins {
		content = editPin(content, pin)
	}
	return content
}

func editPin(content []byte, pin runbook.Pin) []byte {
	var out bytes.Buffer
	kept, found := 0, false
	for _, e := range entries(content) {
		if e.key != pin.Variable {
			continue
		}
		found = true
		if pin.Absent {
			out.Write(content[kept:e.start])
			kept = e.end
			continue
		}
		out.Write(content[kept:e.value])
		out.WriteString(pin.Value)
		kept = e.valueEnd
	}
	out.Write(content[kept:])
	if !found && !pin.Absent {
		newline := "\n"
		if bytes.Contains(content, []byte("\r\n")) {
			newline = "\r\n"
		}
		if out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
			out.WriteString(newline)
		}
		out.WriteString(pin.Variable + "=" + pin.Value + newline)
	}
	return out.Bytes()
}

// entry is one assignment of a dotenv file: [start, end) with its line break, [value, valueEnd) with its quotes.
type entry struct {
	key                         string
	start, value, valueEnd, end int
}

// entries reads a dotenv file as compose does: a quoted value may hold line breaks, so that a line which looks like an
// assignment need not be one; what can't be read is passed over line by line.
func entries(content []byte) []entry {
	var all []entry
	for at := 0; at < len(content); {
		e, ok := readEntry(content, at)
		if ok {
			all = append(all, e)
		}
		at = e.end
	}
	return all
}

func readEntry(content []byte, start int) (entry, bool) {
	e := entry{start: start, end: lineEnd(content, start)}
	line := content[start:e.end]
	at := skipBlanks(line, 0)
	if bytes.HasPrefix(line[at:], []byte("export ")) || bytes.HasPrefix(line[at:], []byte("export\t")) {
		at = skipBlanks(line, at+len("export "))
	}
	keyStart := at
	for at < len(line) && isKeyByte(line[at]) {
		at++
	}
	e.key = string(line[keyStart:at])
	at = skipBlanks(line, at)
	if e.key == "" || at >= len(line) || line[at] != '=' && line[at] != ':' {
		return e, false
	}
	at = skipBlanks(line, at+1)
	e.value = start + at
	if at < len(line) && (line[at] == '"' || line[at] == '\'') {
		if closing := closingQuote(content, e.value); closing > 0 {
			e.valueEnd = closing + 1
			e.end = lineEnd(content, e.valueEnd)
			return e, true
		}
	}
	value := line[at:]
	if comment := bytes.Index(value, []byte(" #")); comment >= 0 {
		value = value[:comment]
	}
	e.valueEnd = e.value + len(bytes.TrimRight(value, " \t\r\n\v\f"))
	return e, true
}

func lineEnd(content []byte, from int) int {
	if i := bytes.IndexByte(content[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(content)
}

func skipBlanks(line []byte, at int) int {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	return at
}

func isKeyByte(b byte) bool {
	return b == '_' || b == '.' || b == '-' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

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
