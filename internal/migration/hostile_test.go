//go:build !race

package migration

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// hostile is a file that tries to be called "adds only", or to bring the judge down.
var hostile = []struct {
	name, file, text string
	want             runbook.MigrationVerdict
	judgements       int // 0: not looked at
}{
	{"an empty file", "1.sql", "", runbook.NotJudged, 0},
	{"comments only", "1.sql", "-- nothing\n/* at all */ ;;\n# here\n", runbook.NotJudged, 0},
	{"NUL bytes hide the rest from a C parser", "1.sql", "CREATE TABLE x (a int);\x00 DROP TABLE users;", runbook.NotJudged, 1},
	{"a BOM", "1.sql", "\ufeffCREATE TABLE x (a int);", runbook.AddsOnly, 1},
	{"CRLF", "1.sql", "CREATE TABLE x (\r\n a int\r\n);\r\nCREATE INDEX i ON users (a);\r\n", runbook.AddsOnly, 2},
	{"a carriage return ends a comment in PostgreSQL", "1.sql", "CREATE TABLE x (a int); -- c\rDROP TABLE users;\n", runbook.MayBreak, 0},
	{"a comment for PostgreSQL, two minuses for MySQL", "1.sql", "CREATE TABLE x (a int) --;DROP TABLE users;\n", runbook.MayBreak, 0},
	{"a comment for MySQL alone", "1.sql", "CREATE TABLE x (a int); # ;DROP TABLE users;\n", runbook.MayBreak, 0},
	{"a backslash keeps a string open in MySQL", "1.sql", `COMMENT ON TABLE a IS 'x\'; DROP TABLE users; COMMENT ON TABLE a IS '';`, runbook.MayBreak, 0},
	{"a backslash keeps it open with E''", "1.sql", `COMMENT ON TABLE a IS E'x\'; DROP TABLE users; COMMENT ON TABLE a IS '';`, runbook.NotJudged, 1},
	{"a nested comment ends early in MySQL", "1.sql", "CREATE TABLE x (a int) /* /* */ ; DROP TABLE users -- */ */;", runbook.MayBreak, 0},
	{"a version comment", "1.sql", "CREATE TABLE x (a int) /*! ; DROP TABLE users */;", runbook.MayBreak, 0},
	{"a version comment of MariaDB", "1.sql", "CREATE TABLE x (a int); /*M! DROP TABLE users */;", runbook.NotJudged, 0},
	{"a placeholder in a comment", "1.sql", "CREATE TABLE x (a int) /* ${more} */;", runbook.NotJudged, 1},
	{"dollar quoting", "1.sql", "COMMENT ON TABLE a IS $x$; DROP TABLE users; $y$ $x$;", runbook.MayBreak, 0},
	{"dollar quoting, and nothing else reads it", "1.sql", "COMMENT ON TABLE a IS $x$ ; $$ ; ' ; \" $x$;", runbook.AddsOnly, 1},
	{"an open string", "1.sql", "CREATE TABLE x (a int);\nCOMMENT ON TABLE x IS 'y;\nDROP TABLE users;", runbook.NotJudged, 0},
	{"an open comment", "1.sql", "CREATE TABLE x (a int);\n/* DROP TABLE users;", runbook.NotJudged, 0},
	{"an open dollar quote", "1.sql", "CREATE TABLE x (a int);\n$$ DROP TABLE users;", runbook.NotJudged, 0},
	{"an open name", "1.sql", "CREATE TABLE x (a int);\n\"DROP TABLE users;", runbook.NotJudged, 0},
	{"DELIMITER", "1.sql", "CREATE TABLE x (a int);\nDELIMITER //\nCREATE TABLE y (a int)//\nDELIMITER ;\nCREATE TABLE z (a int);", runbook.NotJudged, 0},
	{"COPY with data", "1.sql", "COPY users (a, b) FROM stdin;\n1\tdrop table x;\n2\tit's\n\\.\nCREATE TABLE x (a int);", runbook.MayBreak, 0},
	{"psql's commands", "1.sql", "\\set x 1\nCREATE TABLE x (a int);\n\\gexec\n", runbook.NotJudged, 0},
	{"psql's variables", "1.sql", "CREATE TABLE :name (a int);", runbook.NotJudged, 1},
	{"a shell", "1.sql", "\\! rm -rf /\n", runbook.NotJudged, 1},
	{"a down marker inside a string", "1.sql", "-- +goose Up\nCOMMENT ON TABLE a IS '\n-- +goose Down\n'; DROP TABLE users;", runbook.MayBreak, 0},
	{"the same, and nothing breaks", "1.sql", "-- migrate:up\nCOMMENT ON TABLE a IS '\n-- migrate:down\n';", runbook.NotJudged, 0},
	{"down sections are not judged", "1.sql", "-- +goose Up\nCREATE TABLE x (a int);\n-- +goose Down\nDROP TABLE x;", runbook.AddsOnly, 1},
	{"a block is one statement", "1.sql", "-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE x (a int); DROP TABLE users;\n-- +goose StatementEnd\n", runbook.MayBreak, 1},
	{"down files are not judged", "1.down.sql", "DROP TABLE x;", runbook.NotJudged, 0},
	{"deep parentheses", "1.sql", "SELECT " + strings.Repeat("(", 30000) + "1" + strings.Repeat(")", 30000), runbook.NotJudged, 1},
	{"a long chain of NOT", "1.sql", "SELECT " + strings.Repeat("NOT ", 16000) + "true", runbook.NotJudged, 1},
	{"a long chain of minus", "1.sql", "SELECT " + strings.Repeat("- ", 30000) + "1", runbook.NotJudged, 1},
	{"a long chain of plus", "1.sql", "SELECT 1" + strings.Repeat("+1", 30000), runbook.NotJudged, 1},
	{"a long chain of AND", "1.sql", "SELECT 1" + strings.Repeat(" AND 1", 10000), runbook.NotJudged, 1},
	{"a long UNION", "1.sql", "SELECT 1" + strings.Repeat(" UNION SELECT 1", 4000), runbook.NotJudged, 1},
	{"a long chain of CASE", "1.sql", "SELECT " + strings.Repeat("CASE WHEN 1 THEN ", 3500), runbook.NotJudged, 1},
	{"a sum as long as is read", "1.sql", "SELECT 1" + strings.Repeat("+1", maxChain), runbook.MayBreak, 1},
	{"a UNION as long as is read", "1.sql", "SELECT 1" + strings.Repeat(" UNION SELECT 1", maxChain), runbook.MayBreak, 1},
	{"a long list", "1.sql", "SELECT 1" + strings.Repeat(",1", 32000), runbook.MayBreak, 0},
	{"a statement that is too long", "1.sql", "INSERT INTO a VALUES ('" + strings.Repeat("x", maxStatement) + "')", runbook.NotJudged, 1},
	{"too many statements", "1.sql", strings.Repeat("BEGIN;", 2*maxStatements), runbook.NotJudged, maxStatements + 1},
	{"too large", "1.sql", strings.Repeat("x", maxFile+1), runbook.NotJudged, 1},
	{"names that PostgreSQL folds and MySQL does not", "1.sql", "CREATE TABLE Users (id int);\nCREATE UNIQUE INDEX i ON users (id);", runbook.MayBreak, 2},
	{"the new table is in another schema", "1.sql", "CREATE TABLE app.users (id int);\nALTER TABLE users ADD CONSTRAINT c CHECK (id > 0);", runbook.MayBreak, 2},
	{"the search path moves under a new table", "1.sql", "CREATE TABLE users (id int);\nSET search_path = old;\nCREATE UNIQUE INDEX i ON users (id);", runbook.MayBreak, 3},
	{"a temporary table hides the old one, and goes", "1.sql", "CREATE TEMP TABLE users (id int) ON COMMIT DROP;\nCREATE UNIQUE INDEX i ON users (id);", runbook.MayBreak, 2},
}

func TestJudge_Hostile(t *testing.T) {
	for _, c := range hostile {
		// A file that takes longer is one that hangs a judge.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		got := Judge(ctx, []runbook.MigrationFile{{Name: c.file, Content: []byte(c.text)}})
		if worst := runbook.WorstVerdict(got); worst != c.want || c.judgements > 0 && len(got) != c.judgements {
			t.Errorf("%s: %q by %d judgements, want %q by %d", c.name, worst, len(got), c.want, c.judgements)
			for _, j := range got[:min(len(got), 9)] {
				t.Log(j.Text())
			}
		}
		if ctx.Err() != nil {
			t.Errorf("%s: it takes more than a minute", c.name)
		}
		cancel()
		for _, j := range got {
			if len([]rune(j.Statement)) > maxShownRunes || strings.ContainsAny(j.Statement, "\n\r") {
				t.Errorf("%s: it shows %q", c.name, j.Statement)
			}
		}
	}
	// The parsers still work after all that.
	if got := Judge(t.Context(), []runbook.MigrationFile{{Name: "1.sql", Content: []byte("CREATE TABLE x (id uuid)")}}); runbook.WorstVerdict(got) != runbook.AddsOnly {
		t.Errorf("after the hostile files: %+v", got)
	}
}

// The child's side: what comes in is bounded, what goes out is whole.
func TestServe(t *testing.T) {
	var out bytes.Buffer
	in := strings.NewReader(`{"files":[{"name":"1.sql","content":"RFJPUCBUQUJMRSB4"},{"name":"2.down.sql","content":"RFJPUCBUQUJMRSB4"}]}`)
	if err := serve(t.Context(), in, &out); err != nil {
		t.Fatal(err)
	}
	files := []runbook.MigrationFile{{Name: "1.sql"}, {Name: "2.down.sql"}}
	a, err := understand(out.Bytes(), files)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Files[0].Judgements; len(got) != 1 || got[0].Statement != "DROP TABLE x" || got[0].Verdict != runbook.MayBreak || len(a.Files[1].Judgements) != 0 {
		t.Errorf("%+v", a)
	}
	for _, bad := range []string{"", "{", "[]", `{"files":[{"name":"1.sql","content":"*"}]}`, strings.Repeat(" ", maxMessage) + `{"files":[]}`} {
		if err := serve(t.Context(), strings.NewReader(bad), &out); err == nil {
			t.Errorf("%.20q was taken", bad)
		}
	}
}
