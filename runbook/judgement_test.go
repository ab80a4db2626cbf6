package runbook

import (
	"strings"
	"testing"
)

func TestWorstVerdict(t *testing.T) {
	for _, c := range []struct {
		name     string
		verdicts []MigrationVerdict
		want     MigrationVerdict
	}{
		{"nothing was judged", nil, NotJudged},
		{"one adds", []MigrationVerdict{AddsOnly}, AddsOnly},
		{"one of many breaks", []MigrationVerdict{AddsOnly, MayBreak, NotJudged, AddsOnly}, MayBreak},
		{"breaking is worse than not judged", []MigrationVerdict{MayBreak, NotJudged}, MayBreak},
		{"one was not judged", []MigrationVerdict{AddsOnly, NotJudged}, NotJudged},
		{"a verdict of another version", []MigrationVerdict{AddsOnly, "adds, as it were"}, NotJudged},
		{"a judgement that was never filled in", []MigrationVerdict{"", AddsOnly}, NotJudged},
	} {
		var judgements []Judgement
		for _, v := range c.verdicts {
			judgements = append(judgements, Judgement{Verdict: v})
		}
		if got := WorstVerdict(judgements); got != c.want {
			t.Errorf("%s: the worst of %q is %q, want %q", c.name, c.verdicts, got, c.want)
		}
	}
}

func TestJudgement_TextSaysWhatItRestsOn(t *testing.T) {
	j := Judgement{
		File: "db/migrations/0012_users.sql", Line: 3, Statement: "ALTER TABLE users DROP COLUMN name",
		Verdict: MayBreak, Why: "drops a column",
	}
	want := "db/migrations/0012_users.sql:3: ALTER TABLE users DROP COLUMN name: " +
		"breaks or may break the former version (by its syntax, not tried against the former code): drops a column"
	if got := j.Text(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	whole := Judgement{File: "db/migrate/1_users.rb", Verdict: NotJudged, Why: "not SQL"}
	want = "db/migrate/1_users.rb: could not be judged (by its syntax, not tried against the former code): not SQL"
	if got := whole.Text(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	j.Statement = "CREATE SERVER x OPTIONS (dsn 'postgres://joe:hunter2@db/x')"
	if got := j.Text(); strings.Contains(got, "hunter2") {
		t.Errorf("a password shows in %s", got)
	}
}
