package github_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"rollbackbot/runbook"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func TestCompare_PageByPage(t *testing.T) {
	f := newFake(t)
	f.answers["GET /repos/acme/shop/compare/v1...v2"] = func(w http.ResponseWriter, r *http.Request) {
		page := max(f.count("GET /repos/acme/shop/compare/v1...v2"), 1)
		files := `,"files":[{"filename":"db/1.sql","status":"added"},{"filename":"b.go","status":"renamed","previous_filename":"a.go"}]`
		if page < 3 {
			w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=%d>; rel="next"`, f.URL, r.URL.Path, page+1))
		}
		if page > 1 {
			files = ""
		}
		fmt.Fprintf(w, `{"total_commits":203,"behind_by":1,"commits":[{"author":{"login":"ana"}},{"author":null,"commit":{"author":{"name":"Ben %d"}}}]%s}`, page, files)
	}
	got, err := f.client().Compare(t.Context(), repository, "v1", "v2")
	if err != nil || got.Commits != 203 || got.Behind != 1 || got.Partial || got.URL != f.URL+"/acme/shop/compare/v1...v2" {
		t.Errorf("got %+v, %v", got, err)
	}
	if !slices.Equal(got.Authors, []string{"ana", "Ben 1", "Ben 2", "Ben 3"}) ||
		!slices.Equal(got.Files, []runbook.ChangedFile{{Path: "db/1.sql", Status: "added"}, {Path: "b.go", Status: "renamed", Former: "a.go"}}) {
		t.Errorf("got %+v", got)
	}
	if _, err := f.client().Compare(t.Context(), repository, "v1", "nowhere"); kindOf(err) != "denied" {
		t.Errorf("of an unknown commit: %v", err)
	}
}

func TestCompare_IsBounded(t *testing.T) {
	f := newFake(t)
	const call = "GET /repos/acme/shop/compare/v1...v2"
	f.answers[call] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=%d>; rel="next"`, f.URL, r.URL.Path, f.count(call)+1))
		fmt.Fprint(w, `{"total_commits":100000,"commits":[]}`)
	}
	if got, err := f.client().Compare(t.Context(), repository, "v1", "v2"); err != nil || !got.Partial || f.count(call) != 5 {
		t.Errorf("got %+v, %v after %d pages", got, err, f.count(call))
	}
}

func TestFile(t *testing.T) {
	f := newFake(t)
	const call = "GET /repos/acme/shop/contents/db/1.sql"
	f.on(call, 200, object{"type": "file", "encoding": "base64", "size": 3, "content": base64.StdEncoding.EncodeToString([]byte("ä!"))})
	if got, err := f.client().File(t.Context(), repository, "db/1.sql", "abc"); err != nil || string(got) != "ä!" || f.count(call+"?ref=abc") != 1 {
		t.Errorf("got %q, %v", got, err)
	}
	f.on(call, 200, object{"type": "file", "encoding": "none", "size": 1 << 21})
	if _, err := f.client().File(t.Context(), repository, "db/1.sql", "abc"); kindOf(err) != "denied" {
		t.Errorf("of a large file: %v", err)
	}
	f.on(call, 200, object{"type": "file", "encoding": "base64", "size": 3, "content": "%%%"})
	if _, err := f.client().File(t.Context(), repository, "db/1.sql", "abc"); kindOf(err) != "unknown" {
		t.Errorf("of rubbish: %v", err)
	}
	f.on(call, 200, []object{{"type": "file", "name": "x"}})
	if _, err := f.client().File(t.Context(), repository, "db/1.sql", "abc"); kindOf(err) != "denied" {
		t.Errorf("of a folder: %v", err)
	}
	if _, err := f.client().File(t.Context(), repository, "gone.sql", "abc"); kindOf(err) != "denied" {
		t.Errorf("of no file: %v", err)
	}
}

func TestDeployments(t *testing.T) {
	f := newFake(t)
	if _, err := f.client().Deployments(t.Context(), repository); kindOf(err) != "denied" {
		t.Errorf("of a repository that can't be seen: %v", err)
	}
	f.on("GET /repos/acme/shop/deployments", 200, []object{
		{"sha": "aaa", "ref": "v1.2.0", "creator": object{"login": "ana"}, "created_at": "2026-01-01T10:00:00Z"},
		{"sha": "bbb", "ref": "bbb", "created_at": "2026-01-02T10:00:00Z"},
	})
	got, err := f.client().Deployments(t.Context(), repository)
	if err != nil || len(got) != 2 || got[0].Commit != "bbb" || got[0].Version != "" || got[1].Version != "v1.2.0" || got[1].Author != "ana" || got[1].Run {
		t.Errorf("got %+v, %v", got, err)
	}
	f.on("GET /repos/acme/shop/actions/runs", 200, object{"total_count": 2, "workflow_runs": []object{
		{"head_sha": "ccc", "head_branch": "v1.3.0", "event": "release", "html_url": "https://x/1", "updated_at": "2026-01-03T10:00:00Z", "actor": object{"login": "ben"}},
		{"head_sha": "ddd", "head_branch": "main", "event": "push", "html_url": "https://x/2", "updated_at": "2026-01-01T12:00:00Z"},
	}})
	got, err = f.client().Deployments(t.Context(), repository)
	if err != nil || len(got) != 4 || got[0].Commit != "ccc" || got[0].Version != "v1.3.0" || !got[0].Run || got[0].URL != "https://x/1" || got[2].Commit != "ddd" || got[2].Version != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	f.on("GET /repos/acme/shop/actions/runs", 500, object{})
	if _, err := f.client().Deployments(t.Context(), repository); kindOf(err) != "unknown" {
		t.Errorf("with runs that can't be read: %v", err)
	}
}

func TestCompareURL(t *testing.T) {
	for api, want := range map[string]string{
		"":                                   "https://github.com/acme/shop/compare/a...b",
		"https://api.github.com/":            "https://github.com/acme/shop/compare/a...b",
		"https://github.example.com/api/v3":  "https://github.example.com/acme/shop/compare/a...b",
		"https://github.example.com/api/v3/": "https://github.example.com/acme/shop/compare/a...b",
		"http://127.0.0.1:4001":              "http://127.0.0.1:4001/acme/shop/compare/a...b",
	} {
		if got := newClient(t, token, api).CompareURL(repository, "a", "b"); got != want {
			t.Errorf("of %q: %s, want %s", api, got, want)
		}
	}
}
