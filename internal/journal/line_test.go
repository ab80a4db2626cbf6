package journal

import (
	"encoding/json"
	"strings"
	"testing"
)

// The hash of a known line: whoever changes the format without a new version fails here.
func TestLine_Version1(t *testing.T) {
	r := record{app: "shop", seq: 7, rollback: "rb-k3", epoch: 2, at: 1777863721123456, kind: "aborted", actor: "U<1>", cause: "\"\n", body: `{"x":1}`}
	const want = `{"v":1,"app":"shop","seq":7,"rollback":"rb-k3","epoch":2,"at":"2026-05-04T03:02:01.123456Z","kind":"aborted","actor":"U<1>","cause":"\"\n","body":{"x":1}}`
	if got := string(r.line()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// printf 'p\n%s' LINE | sha256sum
	if got, want := r.link("p"), "b327b089e404249b17cf4d3805ef56f4fa3e5b9c0fdc3fe7db966d975f492b42"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What is written reads back as it was.
func FuzzLine(f *testing.F) {
	f.Add("shop", int64(1), "rb-1", int64(2), int64(1777863721123456), "requested", "U1", "t.1", `{"a":[1,"<&>"]}`, "ab")
	f.Add("", int64(-1), "\u2028", int64(0), int64(-62135596800000000), "\"", "\\", "\n", `"\ud800"`, "")
	f.Fuzz(func(t *testing.T, app string, seq int64, rollback string, epoch, at int64, kind, actor, cause, body, hash string) {
		for _, text := range []string{app, rollback, kind, actor, cause, hash} {
			if checkText(text) != nil {
				t.Skip("Append refuses it")
			}
		}
		if year := timeOf(at).Year(); year < 0 || year > 9999 {
			t.Skip("Append refuses it")
		}
		if !json.Valid([]byte(body)) || strings.TrimSpace(body) != body || strings.ContainsAny(body, "\r\n") {
			t.Skip("no fact encodes to it")
		}
		want := record{app: app, seq: seq, rollback: rollback, epoch: epoch, at: at, kind: kind, actor: actor, cause: cause, body: body}
		line := want.exportLine(hash)
		if strings.ContainsAny(string(line), "\r\n") {
			t.Errorf("more than one line: %q", line)
		}
		got, gotHash, err := parseLine(line)
		if err != nil || got != want || gotHash != hash {
			t.Errorf("%s\ngot  %+v, %q, %v\nwant %+v, %q", line, got, gotHash, err, want, hash)
		}
	})
}

// What is taken is written the very same way, and no line makes it panic.
func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"v":1,"app":"shop","seq":1,"rollback":"","epoch":0,"at":"2026-05-04T01:02:01.123456Z","kind":"diverged","actor":"","cause":"","body":{"detail":"x"},"hash":"00"}`))
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"V":1,"app":"shop","seq":1,"at":"2026-05-04T01:02:01Z","body":null,"hash":"00"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, hash, err := parseLine(line)
		if err != nil {
			return
		}
		if got := string(r.exportLine(hash)); got != string(line) {
			t.Errorf("got %s\nwant %s", got, line)
		}
	})
}
