package localslack

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// check looks at one value of a decoded JSON document and notes on v what is wrong with it. at is the
// value's JSON pointer.
type check func(v *validator, at string, value any)

// validator collects what is wrong with a document, in the words of Slack's response_metadata.
type validator struct{ problems []string }

func (v *validator) fail(at, format string, details ...any) {
	v.problems = append(v.problems, fmt.Sprintf("[ERROR] "+format+" [json-pointer:"+at+"]", details...))
}

// shape is what an object may hold. A name that ends with * must be there.
type shape map[string]check

// with is s and more.
func (s shape) with(more shape) shape {
	out := maps.Clone(s)
	maps.Copy(out, more)
	return out
}

// object checks the value against a shape: nothing missing, nothing unknown.
func (s shape) object(v *validator, at string, value any) {
	o, ok := value.(map[string]any)
	if !ok {
		v.fail(at, "must provide an object")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if required, is := strings.CutSuffix(name, "*"); is && o[required] == nil {
			v.fail(at, "missing required field: %s", required)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		s.property(v, at, name, o[name])
	}
}

func (s shape) property(v *validator, at, name string, value any) {
	if name == "type" || value == nil { // the type was judged by whoever chose this shape
		return
	}
	inner, ok := s[name]
	if !ok {
		inner, ok = s[name+"*"]
	}
	if !ok {
		v.fail(at, "invalid additional property: %s", name)
		return
	}
	inner(v, at+"/"+name, value)
}

// kinds are shapes by their "type".
type kinds map[string]shape

// only is those of k with the given names.
func (k kinds) only(names ...string) kinds {
	out := kinds{}
	for _, name := range names {
		out[name] = k[name]
	}
	return out
}

// object checks the value against the shape of its type.
func (k kinds) object(v *validator, at string, value any) {
	o, ok := value.(map[string]any)
	if !ok {
		v.fail(at, "must provide an object")
		return
	}
	name, ok := o["type"].(string)
	if !ok {
		v.fail(at, "missing required field: type")
		return
	}
	s, ok := k[name]
	if !ok {
		v.fail(at+"/type", "unsupported type: %s", name)
		return
	}
	s.object(v, at, value)
}

// chars is a string of min to max characters.
func chars(min, max int) check {
	return func(v *validator, at string, value any) {
		text, ok := value.(string)
		n := utf8.RuneCountInString(text)
		switch {
		case !ok:
			v.fail(at, "must provide a string")
		case n > max:
			v.fail(at, "must be less than %d characters", max+1)
		case n < min:
			v.fail(at, "must be more than %d characters", min-1)
		}
	}
}

// oneOf is one of some strings.
func oneOf(words ...string) check {
	return func(v *validator, at string, value any) {
		if text, ok := value.(string); !ok || !slices.Contains(words, text) {
			v.fail(at, "must be one of: %s", strings.Join(words, ", "))
		}
	}
}

// flag is a boolean.
func flag(v *validator, at string, value any) {
	if _, ok := value.(bool); !ok {
		v.fail(at, "must provide a boolean")
	}
}

// whole is an integer from min to max.
func whole(min, max int) check {
	return func(v *validator, at string, value any) {
		number, _ := value.(json.Number)
		n, err := strconv.Atoi(number.String())
		switch {
		case err != nil:
			v.fail(at, "must provide a whole number")
		case n < min || n > max:
			v.fail(at, "must be between %d and %d", min, max)
		}
	}
}

// list is an array of min to max elements.
func list(min, max int, element check) check {
	return func(v *validator, at string, value any) {
		elements, ok := value.([]any)
		switch {
		case !ok:
			v.fail(at, "must provide an array")
			return
		case len(elements) > max:
			v.fail(at, "no more than %d items allowed", max)
			return
		case len(elements) < min:
			v.fail(at, "no fewer than %d items allowed", min)
			return
		}
		for i, e := range elements {
			element(v, at+"/"+strconv.Itoa(i), e)
		}
	}
}

// anyValue takes everything.
func anyValue(*validator, string, any) {}
