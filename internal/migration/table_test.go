//go:build !race

// The parsers start in 2 s without the race detector, and in 14 s and 734 MB with it: what parses is tested without
// (scripts/test.sh).

package migration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// row is a judgement that follows from a database's documentation.
type row struct {
	want   runbook.MigrationVerdict
	reason string
	sql    string
	at     string // file and line
}

var words = map[string]runbook.MigrationVerdict{"adds": runbook.AddsOnly, "breaks": runbook.MayBreak, "unjudged": runbook.NotJudged}

func rows(t testing.TB, file string) []row {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []row
	for i, line := range strings.Split(string(text), "\n") {
		at := fmt.Sprintf("%s:%d", file, i+1)
		if head, begins := strings.CutPrefix(line, "=== "); begins {
			word, reason, _ := strings.Cut(head, ": ")
			if words[word] == "" || reason == "" {
				t.Fatalf("%s: no judgement with a reason: %s", at, line)
			}
			found = append(found, row{want: words[word], reason: reason, at: at})
		} else if !strings.HasPrefix(line, "# ") && line != "" {
			found[len(found)-1].sql += line + "\n"
		}
	}
	return found
}

// Every statement of the tables is judged as its database's documentation says. The tables are testdata/*.txt.
func TestJudge_Tables(t *testing.T) {
	for _, file := range []string{"testdata/postgresql.txt", "testdata/mysql.txt"} {
		table := rows(t, file)
		if len(table) < 60 {
			t.Errorf("%s has %d rows", file, len(table))
		}
		for _, r := range table {
			judged := Judge(t.Context(), []runbook.MigrationFile{{Name: "db/1_x.sql", Content: []byte(r.sql)}})
			got := runbook.WorstVerdict(judged)
			if got != r.want {
				t.Errorf("%s: %q, want %q (%s)", r.at, got, r.want, r.reason)
				for _, j := range judged {
					t.Log(j.Text())
				}
			}
			for _, j := range judged {
				if j.Why == "" || j.Statement == "" || j.Line == 0 {
					t.Errorf("%s: a judgement lacks something: %+v", r.at, j)
				}
			}
		}
		t.Logf("%s: %d judgements", file, len(table))
	}
}

// The same in one file: judgements come in their order, each at its line, and the worst counts.
func TestJudge_WholeFile(t *testing.T) {
	const text = "-- adds a column\nALTER TABLE users\n  ADD COLUMN nickname text;\n\n/* two\nlines */ DROP TABLE sessions;\nCREATE INDEX i ON users (nickname)\n"
	got := Judge(t.Context(), []runbook.MigrationFile{{Name: "db/1_x.sql", Content: []byte(text)}})
	want := []runbook.Judgement{
		{File: "db/1_x.sql", Line: 2, Statement: "ALTER TABLE users ADD COLUMN nickname text", Verdict: runbook.AddsOnly, Why: "a new column that may be NULL"},
		{File: "db/1_x.sql", Line: 6, Statement: "DROP TABLE sessions", Verdict: runbook.MayBreak, Why: "drops what the former version may use"},
		{File: "db/1_x.sql", Line: 7, Statement: "CREATE INDEX i ON users (nickname)", Verdict: runbook.AddsOnly, Why: "a new plain index: nothing is refused by it but values too long for one"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d judgements, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
}

// The whole way: this binary starts itself, and judges what it is given in the order of the files.
func TestProcess_Judges(t *testing.T) {
	got := NewProcess().Judge(t.Context(), []runbook.MigrationFile{
		{Name: "1.up.sql", Content: []byte("CREATE TABLE a (id uuid);\nDROP TABLE b;")},
		{Name: "1.down.sql", Content: []byte("DROP TABLE a;")},
		{Name: "2.go", Content: []byte("package migrations")},
		{Name: "3.sql", Content: []byte("ALTER TABLE a ADD COLUMN `b` INT UNSIGNED")},
	})
	var lines []string
	for _, j := range got {
		lines = append(lines, fmt.Sprintf("%s:%d %s", j.File, j.Line, j.Verdict))
	}
	want := "1.up.sql:1 adds only, 1.up.sql:2 breaks or may break the former version, 2.go:0 could not be judged, 3.sql:1 adds only"
	if strings.Join(lines, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(lines, ", "), want)
	}
}
