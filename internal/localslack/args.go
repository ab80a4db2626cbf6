package localslack

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// maxBody bounds a request to the Web API; Slack publishes no figure, and no rightful call comes near.
const maxBody = 4 << 20

// args are a call's arguments. Slack takes them as a query, a form or a JSON object, and a structured value
// inside a form as a string of JSON; here all look alike.
type args map[string]json.RawMessage

// readArgs reads the arguments of a call, whatever their form.
func readArgs(w http.ResponseWriter, r *http.Request) (args, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	a := args{}
	if kind == "application/json" {
		if err := a.readJSON(r.Body); err != nil {
			return nil, err
		}
	} else if err := r.ParseMultipartForm(maxBody); err != nil && err != http.ErrNotMultipart {
		return nil, fmt.Errorf("read the form: %w", err)
	}
	if err := r.ParseForm(); err != nil {
		return nil, fmt.Errorf("read the query: %w", err)
	}
	for key, values := range r.Form {
		a[key] = jsonText(values[0])
	}
	return a, nil
}

func (a *args) readJSON(body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil || len(data) == 0 {
		return err
	}
	if string(data) == "null" { // how a client says that it has no arguments
		return nil
	}
	return json.Unmarshal(data, a)
}

// str is the argument as text; "" if it is absent or null.
func (a args) str(key string) string {
	raw := a[key]
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// has reports whether the argument was given, if only as an empty value.
func (a args) has(key string) bool {
	raw, ok := a[key]
	return ok && string(raw) != "null"
}

// json is the argument as JSON, unwrapped if it came as a string of JSON; nil if it is absent or empty.
func (a args) json(key string) json.RawMessage {
	raw := a[key]
	if len(raw) > 0 && raw[0] == '"' {
		raw = json.RawMessage(a.str(key))
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

// flag is the argument as a boolean, in the ways Slack's clients write one.
func (a args) flag(key string) bool {
	switch strings.ToLower(a.str(key)) {
	case "true", "1":
		return true
	}
	return false
}

// number is the argument as an integer, or fallback.
func (a args) number(key string, fallback int) int {
	if n, err := strconv.Atoi(a.str(key)); err == nil {
		return n
	}
	return fallback
}

// texts are all arguments but the token, as text.
func (a args) texts() map[string]string {
	out := make(map[string]string, len(a))
	for key := range a {
		if key != "token" {
			out[key] = a.str(key)
		}
	}
	return out
}

// object is a JSON object to be sent.
type object = map[string]any

// writeJSON answers with a JSON value.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(encode(value)) // the client may be gone; it will notice itself
}

// encode is JSON without Go's extra escapes of <, > and &, so that texts stay readable in records and tests.
func encode(value any) json.RawMessage {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(fmt.Sprintf("encode %T: %v", value, err)) // only values made here come in, and they have an encoding
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
}

// jsonText is a string as JSON.
func jsonText(text string) json.RawMessage { return encode(text) }
