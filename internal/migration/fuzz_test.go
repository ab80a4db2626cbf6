//go:build !race

package migration

import (
	"path"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// Whatever a file holds, judging it ends, and the verdict on a file is the worst of its statements: what is "adds only"
// together is so one by one, and breaks with a DROP behind it.
func FuzzJudge(f *testing.F) {
	// The parsers start here: an input that takes ten seconds counts as a hang, and on a busy machine the first one does.
	Judge(f.Context(), []runbook.MigrationFile{{Name: "1.sql", Content: []byte("SELECT 1")}})
	for _, c := range hostile {
		if len(c.text) < 1000 {
			f.Add(c.file, []byte(c.text))
		}
	}
	for _, file := range []string{"testdata/postgresql.txt", "testdata/mysql.txt"} {
		text := readTable(f, file)
		for i, sql := range text {
			if i%10 == 0 { // a tenth of them: the fuzzer mutates the rest out of these
				f.Add("1_x.sql", []byte(sql))
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if len(content) > 1<<12 {
			t.Skip("what is long is for the hostile files")
		}
		got := Judge(t.Context(), []runbook.MigrationFile{{Name: name, Content: content}})
		for _, j := range got {
			if j.File != name || !j.Verdict.Known() || j.Why == "" || j.Line < 0 || len([]rune(j.Statement)) > maxShownRunes {
				t.Errorf("a judgement lacks something: %+v", j)
			}
		}
		if runbook.WorstVerdict(got) != runbook.AddsOnly || path.Ext(name) != ".sql" {
			return
		}
		for _, j := range got {
			if j.Verdict != runbook.AddsOnly {
				t.Errorf("the file adds only, its statement is %+v", j)
			}
		}
		if strings.Contains(string(content), "--") {
			return // a comment, or a marker, may take in what follows
		}
		more := append(append([]byte{}, content...), "\n;\nDROP TABLE users;\n"...)
		if worst := runbook.WorstVerdict(Judge(t.Context(), []runbook.MigrationFile{{Name: name, Content: more}})); worst != runbook.MayBreak {
			t.Errorf("with a DROP behind it the file is %q", worst)
		}
	})
}

func readTable(f *testing.F, file string) []string {
	f.Helper()
	var found []string
	for _, r := range rows(f, file) {
		found = append(found, r.sql)
	}
	return found
}
