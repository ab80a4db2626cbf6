package demohost

import (
	"fmt"
	"strings"
)

// interpolate fills in the variables of a text as compose does: $NAME, ${NAME}, ${NAME:-word}, ${NAME-word},
// ${NAME:+word}, ${NAME+word}, ${NAME:?message}, ${NAME?message}, and $$ for a dollar. A word may hold variables.
// unset is told of each variable that is blank because nothing sets it.
func interpolate(text string, get lookup, unset func(name string)) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		value, rest, err := substitute(after, get, unset)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		text = rest
	}
}

// substitute gives the value of what stands behind a dollar, and what comes after that.
func substitute(after string, get lookup, unset func(string)) (value, rest string, err error) {
	switch {
	case strings.HasPrefix(after, "$"):
		return "$", after[1:], nil
	case strings.HasPrefix(after, "{"):
		end := closingBrace(after)
		if end < 0 {
			return "", "", fmt.Errorf("invalid interpolation format: %q. You may need to escape any $ with another $", "$"+after)
		}
		value, err = braced(after[1:end], get, unset)
		return value, after[end+1:], err
	}
	n := nameLength(after)
	if n == 0 {
		return "", "", fmt.Errorf("invalid interpolation format: %q. You may need to escape any $ with another $", "$"+after)
	}
	return plain(after[:n], get, unset), after[n:], nil
}

// closingBrace finds the end of what begins with a brace; -1: there is none.
func closingBrace(text string) int {
	depth := 0
	for i, r := range text {
		switch r {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func nameLength(text string) int {
	for i, r := range text {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return i
		}
	}
	return len(text)
}

func plain(name string, get lookup, unset func(string)) string {
	value, ok := get(name)
	if !ok {
		unset(name)
	}
	return value
}

// braced gives the value of what stands between the braces.
func braced(text string, get lookup, unset func(string)) (string, error) {
	n := nameLength(text)
	name, operator := text[:n], text[n:]
	if name == "" {
		return "", fmt.Errorf("invalid interpolation format: %q. You may need to escape any $ with another $", "${"+text+"}")
	}
	if operator == "" {
		return plain(name, get, unset), nil
	}
	value, ok := get(name)
	if operator[0] == ':' {
		ok = ok && value != ""
		operator = operator[1:]
	}
	if operator == "" {
		operator = " " // a colon alone is no operator
	}
	word := operator[1:]
	switch operator[0] {
	case '-':
		if ok {
			return value, nil
		}
		return interpolate(word, get, unset)
	case '+':
		if !ok {
			return "", nil
		}
		return interpolate(word, get, unset)
	case '?':
		if ok {
			return value, nil
		}
		return "", &requiredError{name: name, message: word}
	}
	return "", fmt.Errorf("invalid interpolation format: %q. You may need to escape any $ with another $", "${"+text+"}")
}

// requiredError says that a variable that has to be set isn't.
type requiredError struct{ name, message string }

func (e *requiredError) Error() string {
	return fmt.Sprintf("required variable %s is missing a value: %s", e.name, e.message)
}
