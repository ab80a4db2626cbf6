package runbook

import (
	"strings"
	"testing"
)

func TestMask_ValuesInUnusualQuotes(t *testing.T) {
	for _, text := range []string{
		`failed to read .env: line 3: unexpected character "\n" in variable name near "DB_PASSWORD=\"hunter2 and more\"\nX"`,
		`DB_PASSWORD="hunter2 is cut off`,
		`DB_PASSWORD='hunter2 is cut off`,
		`DB_PASSWORD=abc"hunter2`,
		`DB_PASSWORD=abc'hunter2'def`,
		`near "DB_PASSWORD=\"hunter2`,
		`env DB_PASSWORD='a' OTHER="hunter2"`,
	} {
		if got := Mask(text); strings.Contains(got, "hunter2") {
			t.Errorf("%s\nbecame %s", text, got)
		}
	}
	if got := Mask(`{"Env":"A=hunter2","Image":"redis"}`); strings.Contains(got, "hunter2") || !strings.Contains(got, `"Image":"redis"`) {
		t.Errorf("a value at the end of a quoted text became %s", got)
	}
}

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUxOQAAACDhunter2hunter2\nAAAEBhunter2\n-----END OPENSSH PRIVATE KEY-----\n"

// Output arrives in pieces and is shown line by line: no line of a key may be one of them.
func TestLastLines_NoLineOfAPrivateKey(t *testing.T) {
	for end := range len(privateKey) {
		for _, n := range []int{1, 3, 20} {
			if got := LastLines([]byte("up\n"+privateKey[:end]), n); strings.Contains(got, "hunter2") {
				t.Fatalf("the last %d lines of a key's first %d bytes are %q", n, end, got)
			}
		}
	}
	half := privateKey[strings.Index(privateKey, "QyNT"):] // the rest was cut off: only so much output is kept
	if got := LastLines([]byte(half+"done\n"), 20); strings.Contains(got, "hunter2") || !strings.Contains(got, "done") {
		t.Errorf("half a key became %q", got)
	}
}
