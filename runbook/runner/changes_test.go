package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// fakeSource is a repository, and the judge of its migrations: a file says itself how it is judged.
type fakeSource struct {
	runbook.Source // what isn't asked for

	mu       sync.Mutex
	compared map[string]runbook.Comparison // by "base...head"
	fails    error                         // what every call answers; nil: it works
	takes    time.Duration                 // for each call
	calls    []string
	judging  time.Duration
}

func (s *fakeSource) answers(ctx context.Context, call string) error {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	fails, takes := s.fails, s.takes
	s.mu.Unlock()
	if err := parallel.Pause(ctx, takes); err != nil {
		return err
	}
	return fails
}

func (s *fakeSource) Compare(ctx context.Context, repository, base, head string) (runbook.Comparison, error) {
	if err := s.answers(ctx, base+"..."+head); err != nil {
		return runbook.Comparison{}, err
	}
	c, known := s.compared[base+"..."+head]
	if !known {
		return c, &runbook.DeniedError{Why: "there is no such commit in " + repository}
	}
	c.URL = "https://github.example/" + repository + "/compare/" + base + "..." + head
	return c, nil
}

func (s *fakeSource) File(ctx context.Context, _, path, commit string) ([]byte, error) {
	return []byte(path + " at " + commit), s.answers(ctx, path+"@"+commit)
}

func (s *fakeSource) Judge(ctx context.Context, files []runbook.MigrationFile) (judgements []runbook.Judgement) {
	if parallel.Pause(ctx, s.judging) != nil {
		return []runbook.Judgement{{File: files[0].Name, Verdict: runbook.NotJudged, Why: "the judge did not answer in time"}}
	}
	for _, f := range files {
		j := runbook.Judgement{File: f.Name, Line: 1, Statement: string(f.Content), Verdict: runbook.AddsOnly, Why: "it makes a new table"}
		switch {
		case strings.Contains(f.Name, "down"):
			continue
		case strings.Contains(f.Name, "drop"):
			j.Verdict, j.Why = runbook.MayBreak, "it drops a column"
		}
		judgements = append(judgements, runbook.Judgement{File: f.Name, Line: 3, Statement: "CREATE TABLE a ()", Verdict: runbook.AddsOnly, Why: "it makes a new table"}, j)
	}
	return judgements
}

func changed(paths ...string) (files []runbook.ChangedFile) {
	for _, path := range paths {
		files = append(files, runbook.ChangedFile{Path: path, Status: "added"})
	}
	return files
}

// withSource gives a world's releases commits, c1 and c2, and a source that tells what lies between them.
func withSource(w *world, files ...string) *fakeSource {
	s := &fakeSource{compared: map[string]runbook.Comparison{"c1...c2": {Commits: 12, Files: changed(files...)}}}
	w.app.Repository, w.app.MigrationsPaths, w.source = "acme/shop", []string{"db/migrations"}, s
	w.note(runbook.Deployed{Images: w.v1, Version: "v1", Commit: "c1", Migration: runbook.MigrationNone}, runbook.Observed{Images: w.v1}, runbook.Verified{Images: w.v1},
		runbook.Deployed{Images: w.v2, Version: "v2", Commit: "c2", Migration: runbook.MigrationUnknown}, runbook.Observed{Images: w.v2})
	return s
}

func planWith(t *testing.T, w *world, s *fakeSource) runbook.Plan {
	t.Helper()
	plan, err := preflight.Planner{Hosts: w.lab, Journal: w.journal, Source: s, Judge: s}.Plan(t.Context(), w.app, w.request())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestChanges_WhatTheCommitsProve(t *testing.T) {
	for name, c := range map[string]struct {
		compared runbook.Comparison
		note     runbook.Migration
		none     bool
		source   string // of the one release in between
	}{
		"no migration file, no note":        {runbook.Comparison{Commits: 3, Files: changed("main.go", "db/migrations.md")}, runbook.MigrationUnknown, true, "no migration file changed in its 3 commits"},
		"a migration file":                  {runbook.Comparison{Commits: 3, Files: changed("db/migrations/1.sql")}, runbook.MigrationUnknown, false, "its commits have 1 migration file"},
		"a file was moved out of there":     {runbook.Comparison{Files: []runbook.ChangedFile{{Path: "old/1.sql", Status: "renamed", Former: "db/migrations/1.sql"}}}, runbook.MigrationUnknown, false, "its commits have 1 migration file"},
		"a note that isn't true":            {runbook.Comparison{Files: changed("db/migrations/1.sql")}, runbook.MigrationNone, false, "its commits have 1 migration file, although its deployment note says none"},
		"a note says there was one":         {runbook.Comparison{}, runbook.MigrationYes, false, "deployment note says yes"},
		"more files than are shown":         {runbook.Comparison{Partial: true, Files: changed("main.go")}, runbook.MigrationUnknown, false, "deployment note says unknown"},
		"it doesn't build on the other":     {runbook.Comparison{Behind: 2, Files: changed("main.go")}, runbook.MigrationUnknown, false, "deployment note says unknown"},
		"a note says none, and no file too": {runbook.Comparison{Files: changed("main.go")}, runbook.MigrationNone, true, "deployment note says none"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				s := withSource(w)
				s.compared["c1...c2"] = c.compared
				w.note(runbook.Deployed{Images: w.v2, Version: "v2", Commit: "c2", Migration: c.note})
				plan := planWith(t, w, s)
				if facts := plan.Migration; facts.None != c.none || len(facts.Releases) != 1 || facts.Releases[0].Source != c.source {
					t.Errorf("the facts are %+v", facts)
				}
				if needed := (runbook.Policy{}).NeedsLead(plan) != ""; needed == c.none {
					t.Errorf("a lead is needed: %t", needed)
				}
			})
		})
	}
}

// A release in between that was on a branch of its own brought a migration that the whole comparison doesn't show.
func TestChanges_ReleaseByRelease(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		s := withSource(w)
		fix := runbooktest.Release(4)
		w.note(runbook.Deployed{Images: w.v1, Version: "v1", Commit: "c1", Migration: runbook.MigrationNone}, runbook.Observed{Images: w.v1},
			runbook.Deployed{Images: fix, Version: "hotfix", Commit: "cf", Migration: runbook.MigrationUnknown}, runbook.Observed{Images: fix},
			runbook.Deployed{Images: w.v2, Version: "v2", Commit: "c2", Migration: runbook.MigrationUnknown}, runbook.Observed{Images: w.v2})
		s.compared["c1...cf"] = runbook.Comparison{Commits: 1, Files: changed("db/migrations/drop.sql")}
		s.compared["cf...c2"] = runbook.Comparison{Commits: 12, Behind: 1, Files: changed("main.go")}
		request := w.request()
		request.Release = "v1"
		plan, err := preflight.Planner{Hosts: w.lab, Journal: w.journal, Source: s, Judge: s}.Plan(t.Context(), w.app, request)
		if err != nil {
			t.Fatal(err)
		}
		c := plan.Changes
		if c.Commits != 12 || len(c.Migrations) != 1 || c.Migrations[0].Release != "hotfix" || c.Migrations[0].Verdict != runbook.MayBreak {
			t.Errorf("the changes are %+v", c)
		}
		if plan.Migration.None || plan.Migration.Releases[0].Migration != runbook.MigrationYes || plan.Migration.Releases[1].Migration != runbook.MigrationUnknown {
			t.Errorf("the facts are %+v", plan.Migration)
		}
	})
}

func TestChanges_MigrationsAreJudged(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		s := withSource(w, "db/migrations/1_new.sql", "db/migrations/2_drop.sql", "db/migrations/2_drop.down.sql", "main.go")
		removed := runbook.ChangedFile{Path: "db/migrations/0_old.sql", Status: "removed"}
		s.compared["c1...c2"] = runbook.Comparison{Commits: 12, Files: append(s.compared["c1...c2"].Files, removed)}
		c := planWith(t, w, s).Changes
		var got []string
		for _, m := range c.Migrations {
			got = append(got, m.Text())
		}
		want := []string{
			"db/migrations/2_drop.sql (added by v2), line 1: breaks or may break the former version, by its syntax, not tried against the former code: it drops a column: db/migrations/2_drop.sql at c2",
			"db/migrations/0_old.sql (removed by v2): could not be judged, by its syntax, not tried against the former code: the file was removed; what it did to the schema is still there",
			"db/migrations/1_new.sql (added by v2), line 3: adds only, by its syntax, not tried against the former code: it makes a new table: CREATE TABLE a ()",
			"db/migrations/2_drop.down.sql (added by v2): only takes a migration back, so it is not judged",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if text, want := c.Summary(), "12 commits; 4 migration files, the worst breaks or may break the former version (by its syntax, not tried against the former code)"; text != want {
			t.Errorf("the summary is %q, want %q", text, want)
		}
	})
}

// What the source can't tell is named, and only what may yet come is waited for.
func TestChanges_WhatIsMissingIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*world, *fakeSource)
		missing string
		late    bool
	}{
		"a wrong token": {func(_ *world, s *fakeSource) {
			s.fails = &runbook.DeniedError{Why: "GitHub doesn't accept ROLLBACK_GITHUB_TOKEN"}
		}, "which commits lie in between is not known: GitHub doesn't accept ROLLBACK_GITHUB_TOKEN", false},
		"used up": {func(_ *world, s *fakeSource) {
			s.fails = &runbook.RetryError{After: time.Hour, Err: errors.New("used up")}
		}, "which commits lie in between is not known: try again", true},
		"it hangs": {func(_ *world, s *fakeSource) { s.takes = time.Hour }, "which commits lie in between is not known: the repository's host didn't answer in time", true},
		"no commit": {func(w *world, _ *fakeSource) {
			w.note(runbook.Deployed{Images: w.v2, Version: "v2", Migration: runbook.MigrationUnknown})
		}, "the commit of v2 is neither noted", false},
		"the judge is slow": {func(_ *world, s *fakeSource) { s.judging = time.Minute }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				s := withSource(w, "db/migrations/1.sql")
				c.change(w, s)
				began := time.Now()
				got := planWith(t, w, s).Changes
				if took := time.Since(began); took > 11*time.Second {
					t.Errorf("a person waited for %s", took)
				}
				if text := strings.Join(got.Missing, "; "); !strings.Contains(text, c.missing) || got.Late != c.late {
					t.Errorf("missing %q, late %t", text, got.Late)
				}
				if got.Commits == 0 && got.Told() {
					t.Error("it counts as told")
				}
			})
		})
	}
}

// Facts that arrive while the lead decides make a new plan: nobody signs what they did not see.
func TestChanges_LateFactsMakeANewPlan(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		s := withSource(w, "db/migrations/drop.sql")
		s.fails = errors.New("no route to host")
		r, p := w.start(0)
		former, err := r.Request(t.Context(), w.request(), "")
		if err != nil || !former.Plan.Changes.Late {
			t.Fatalf("%v, changes %+v", err, former.Plan.Changes)
		}
		time.Sleep(2 * time.Minute)
		s.mu.Lock()
		s.fails = nil
		s.mu.Unlock()
		time.Sleep(2 * time.Minute)
		now := w.only()
		if now.Plan.Changes.Verdict() != runbook.MayBreak || now.Plan.Hash() == former.Plan.Hash() || now.Question() == nil || now.Question().Plan != now.Plan.Hash() || now.Plan.Changes.Late {
			t.Fatalf("the plan is %+v, asked %+v", now.Plan.Changes, now.Question())
		}
		var no *runbook.RefusedError
		if err := w.click(r, former, runbook.SignoffInPlace, "ULEAD"); !errors.As(err, &no) {
			t.Errorf("a click on the former plan: %v", err)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		rb := w.only()
		if rb.Outcome != runbook.Succeeded || rb.Plan.Hash() != now.Plan.Hash() || rb.Signoff.Plan != now.Plan.Hash() {
			t.Errorf("outcome %s, plan %s, signed %s", rb.Outcome, rb.Plan.Hash(), rb.Signoff.Plan)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.calls); n == 0 || n > 40 {
			t.Errorf("the source was called %d times in four minutes", n)
		}
	})
}

// A source that stays away holds up nothing, and nobody waits for it once it was decided.
func TestChanges_NeverArrive(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		s := withSource(w)
		s.takes = time.Hour
		r, p := w.start(0)
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded || len(rb.Questions) > 2 {
			t.Errorf("outcome %s after %d questions", rb.Outcome, len(rb.Questions))
		}
	})
}

// What a signature covers: what the source says, and not how it is put or what it failed to say.
func TestChanges_AreSigned(t *testing.T) {
	plan := runbook.Plan{App: "shop"}
	without := plan.Hash()
	plan.Changes = &runbook.Changes{Repository: "acme/shop", Base: "c1", Missing: []string{"everything"}, Late: true}
	if plan.Hash() != without {
		t.Error("what is not known changes the hash")
	}
	seen := map[string]string{}
	for i, change := range []func(*runbook.Changes){
		func(c *runbook.Changes) { c.Commits = 1 }, func(c *runbook.Changes) { c.Commits = 2 }, func(c *runbook.Changes) { c.Behind = 1 },
		func(c *runbook.Changes) {
			c.Migrations = []runbook.MigrationChange{{Path: "a", Verdict: runbook.AddsOnly}}
		},
		func(c *runbook.Changes) {
			c.Migrations = []runbook.MigrationChange{{Path: "a", Verdict: runbook.MayBreak}}
		},
		func(c *runbook.Changes) {
			c.Migrations = []runbook.MigrationChange{{Path: "b", Verdict: runbook.MayBreak}}
		},
	} {
		c := runbook.Changes{URL: "https://github.example", Base: "c1", Head: "c2"}
		change(&c)
		plan.Changes = &c
		hash := plan.Hash()
		if by, twice := seen[hash]; twice {
			t.Errorf("%d has the hash of %s", i, by)
		}
		seen[hash] = fmt.Sprint(i)
		c.Missing, c.Late = []string{"something"}, true
		if plan.Hash() != hash {
			t.Errorf("%d: what is not known changes the hash", i)
		}
	}
}
