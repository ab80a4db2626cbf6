package migration

import (
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// A parser that breaks down judges nothing, at that statement and at those after it: another dialect's word is not enough.
func TestRead_ParserBreaksDown(t *testing.T) {
	defer broken.Store(false)
	breaksDown := dialect{"PostgreSQL", postgresRules, func(string, names) ([]opinion, error) { panic("out of bounds") }}
	works := dialect{"MySQL", mysqlRules, func(string, names) ([]opinion, error) { return []opinion{adds("so")}, nil }}
	const text = "SELECT 1"
	for _, c := range []struct {
		reader dialect
		why    string
	}{
		{breaksDown, "PostgreSQL's parser broke down at it"},
		{works, "a parser broke down at an earlier statement"},
	} {
		got, err := c.reader.read(text, piece{end: len(text)}, names{})
		if err != nil || len(got) != 1 || got[0] != unjudged("%s", c.why) {
			t.Errorf("%s: got %+v and %v, want %q", c.reader.name, got, err, c.why)
		}
	}
}

// What only one dialect finds too deeply nested is not judged by the other alone.
func TestRead_TooDeep(t *testing.T) {
	text := "x # " + strings.Repeat("+", maxChain+1)
	d := dialect{"PostgreSQL", postgresRules, func(string, names) ([]opinion, error) { return []opinion{adds("so")}, nil }}
	got, err := d.read(text, piece{end: len(text)}, names{})
	if err != nil || len(got) != 1 || got[0].verdict != runbook.NotJudged {
		t.Errorf("got %+v and %v", got, err)
	}
}
