package gate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/internal/gate"
	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
)

const token = "0123456789abcdef0123456789abcdef"

var shop = runbook.App{Name: "shop", Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}}}

func digest(letter string) runbook.Digest {
	return runbook.Digest("sha256:" + strings.Repeat(letter, 64))
}

func image(name, letter string) runbook.Image {
	return runbook.Image{Name: "ghcr.io/acme/shop/" + name, Digest: digest(letter)}
}

// desk is a gate with a journal on disk, in which the api with the digit b is quarantined.
type desk struct {
	*httptest.Server
	store *journal.Store
	log   bytes.Buffer
}

func newDesk(t *testing.T, token string) *desk {
	t.Helper()
	d := &desk{}
	var err error
	if d.store, err = journal.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), journal.Options{}); err != nil {
		t.Fatal(err)
	}
	_, err = d.store.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-first", At: time.Now(), Facts: []runbook.Fact{
		runbook.Quarantined{Images: []runbook.Image{image("api", "b")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	(&gate.Handler{Apps: []runbook.App{shop}, Journal: d.store, Token: token, Log: zerolog.New(zerolog.SyncWriter(&d.log))}).Register(mux)
	d.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		d.Close()
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// asks sends a request and gives the status and the body, which has to be one JSON object.
func (d *desk) asks(t *testing.T, method, path, authorization, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		t.Errorf("%s %s answers no JSON object: %s", method, path, text)
	}
	if response.StatusCode == http.StatusUnauthorized && response.Header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
	return response.StatusCode, string(text)
}

func (d *desk) notes(t *testing.T) (n int) {
	t.Helper()
	events, err := d.store.Events(t.Context(), "shop", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if _, noted := e.Fact.(runbook.Deployed); noted {
			n++
		}
	}
	return n
}

func TestHandler_Answers(t *testing.T) {
	d := newDesk(t, token)
	const deployments = "/v1/apps/shop/deployments"
	a, c := image("api", "a").String(), image("web", "c").String()
	good := `{"images": {"api": "` + a + `", "web": "` + c + `"}, "version": "v42", "commit": "3f2c1d0", "migration": "none"}`
	for _, row := range []struct {
		method, path, body string
		status             int
		says               []string
	}{
		{"POST", deployments, good, 201, []string{`"version":"v42"`, `"migration":"none"`, `"noted":true`, a}},
		{"POST", deployments, `{"images": {"api": "` + a + `", "web": "` + c + `"}}`, 201, []string{`"migration":"unknown"`}},
		{"POST", "/v1/apps/blog/deployments", good, 404, []string{`no app \"blog\"`, "shop"}},
		{"POST", deployments, "", 400, []string{"no JSON object"}},
		{"POST", deployments, "[]", 400, []string{"no JSON object"}},
		{"POST", deployments, good + "x", 400, []string{"something follows"}},
		{"POST", deployments, good[:40], 400, []string{"no JSON"}},
		{"POST", deployments, strings.Replace(good, `"v42"`, "42", 1), 400, []string{"version: it is no text"}},
		{"POST", deployments, strings.Replace(good, `"v42"`, "null", 1), 400, []string{"version: it is no text"}},
		{"POST", deployments, strings.Replace(good, "v42", `\u001b[2J`, 1), 400, []string{"the version holds characters"}},
		{"POST", deployments, strings.Replace(good, "v42", "\xff", 1), 400, []string{"no UTF-8"}},
		{"POST", deployments, strings.Replace(good, "v42", strings.Repeat("v", 101), 1), 400, []string{"more than 100 characters"}},
		{"POST", deployments, strings.Repeat(" ", 70_000) + good, 413, []string{"at most 64 KiB"}},
		// All that is wrong comes together.
		{"POST", deployments, `{"Images": {}, "images": {"api": "ghcr.io/acme/shop/api:latest", "db": "` + a + `", "db": 1}, "images": 7, "migration": "maybe", "sha": "x"}`, 400,
			[]string{`no field \"Images\"`, `no field \"sha\"`, `\"images\" is there twice`, `\"db\" is there twice`, "db: it is no text", "tag can be moved", `no service \"db\"`, "no image is given for web", `\"maybe\" is not none, yes or unknown`}},
		{"POST", deployments, strings.Replace(good, strings.Repeat("a", 64), strings.Repeat("b", 64), 1), 423, []string{`"allowed":false`, `"rollback":"rb-first"`, `"app":"shop"`, "/rollback lift"}},
		{"GET", "/v1/images/" + string(digest("a")), "", 200, []string{`"allowed":true`, string(digest("a"))}},
		{"GET", "/v1/images/" + string(digest("b")), "", 423, []string{`"allowed":false`, `"rollback":"rb-first"`, string(digest("b"))}},
		{"GET", "/v1/images/" + strings.ToUpper(string(digest("b"))), "", 400, []string{"64 lower-case hex digits"}},
		{"GET", "/v1/images/sha256:bbbb", "", 400, []string{"64 lower-case hex digits"}},
		{"GET", "/v1/images/latest", "", 400, []string{"64 lower-case hex digits"}},
		{"GET", "/v1/images", "", 404, []string{"nothing else"}},
		{"GET", deployments, "", 404, []string{"nothing else"}},
		{"DELETE", "/v1/images/" + string(digest("b")), "", 404, []string{"nothing else"}},
	} {
		status, text := d.asks(t, row.method, row.path, "Bearer "+token, row.body)
		if status != row.status {
			t.Errorf("%s %s with %.80q: %d %s, want %d", row.method, row.path, row.body, status, text, row.status)
		}
		for _, words := range row.says {
			if !strings.Contains(text, words) {
				t.Errorf("%s %s with %.80q: the answer lacks %q:\n%s", row.method, row.path, row.body, words, text)
			}
		}
	}
	if n := d.notes(t); n != 2 {
		t.Errorf("%d notes are in the journal, want those 2 that got 201", n)
	}
}

func TestHandler_WantsTheToken(t *testing.T) {
	d := newDesk(t, token)
	for _, shown := range []string{"", "Bearer", "Bearer ", "Bearer " + token[1:], "Bearer " + token + "0", "bearer", "Basic " + token, token, "Bearer " + strings.ToUpper(token)} {
		for _, path := range []string{"/v1/images/" + string(digest("a")), "/v1/elsewhere", "/v1/apps/shop/deployments"} {
			if status, text := d.asks(t, "POST", path, shown, "{}"); status != http.StatusUnauthorized || strings.Contains(text, token) {
				t.Errorf("%q: %d %s", shown, status, text)
			}
		}
	}
	for _, shown := range []string{"Bearer " + token, "bearer " + token, "Bearer  " + token} {
		if status, text := d.asks(t, "GET", "/v1/images/"+string(digest("a")), shown, ""); status != http.StatusOK {
			t.Errorf("%q: %d %s", shown, status, text)
		}
	}
	if strings.Contains(d.log.String(), token[1:]) {
		t.Errorf("the log holds the token:\n%s", d.log.String())
	}
}

func TestHandler_WithoutATokenIsSwitchedOff(t *testing.T) {
	d := newDesk(t, "")
	for _, shown := range []string{"", "Bearer", "Bearer ", "Bearer " + token} {
		if status, text := d.asks(t, "GET", "/v1/images/"+string(digest("a")), shown, ""); status != http.StatusForbidden || !strings.Contains(text, "ROLLBACK_HTTP_TOKEN") {
			t.Errorf("%q: %d %s", shown, status, text)
		}
	}
}

func TestHandler_WithoutAJournal(t *testing.T) {
	d := newDesk(t, token)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, ask := range [][2]string{{"GET", "/v1/images/" + string(digest("a"))}, {"POST", "/v1/apps/shop/deployments"}} {
		body := `{"images": {"api": "` + image("api", "a").String() + `", "web": "` + image("web", "c").String() + `"}}`
		if status, text := d.asks(t, ask[0], ask[1], "Bearer "+token, body); status != http.StatusServiceUnavailable || !strings.Contains(text, "can't be judged") {
			t.Errorf("%s: %d %s", ask[0], status, text)
		}
	}
}

func TestClient_SaysWhatTheGateSays(t *testing.T) {
	d := newDesk(t, token)
	c := &gate.Client{URL: d.URL + "/", Token: token}
	note := runbook.Deployed{Images: map[string]runbook.Image{"api": image("api", "a"), "web": image("web", "c")}, Version: "v42", Migration: runbook.MigrationNone}
	release, err := c.Note(t.Context(), "shop", note)
	if err != nil || release.Version != "v42" || release.ID != runbook.ReleaseID(note.Images) || release.Migration != runbook.MigrationNone {
		t.Errorf("%+v, %v", release, err)
	}
	if err := c.Allowed(t.Context(), image("api", "a"), image("web", "c")); err != nil {
		t.Error(err)
	}
	var blocked *runbook.QuarantinedError
	err = c.Allowed(t.Context(), image("api", "a"), image("mirror", "b"))
	want := &runbook.QuarantinedError{Image: image("mirror", "b"), App: "shop", Rollback: "rb-first"}
	if !errors.As(err, &blocked) || *blocked != *want || err.Error() != want.Error() {
		t.Errorf("%v\nwant %v", err, want)
	}
	note.Images["api"] = image("api", "b")
	if _, err := c.Note(t.Context(), "shop", note); !errors.As(err, &blocked) || blocked.Image != image("api", "b") {
		t.Errorf("a note of a quarantined image: %v", err)
	}
	var invalid *gate.InvalidError
	if _, err := c.Note(t.Context(), "shop", runbook.Deployed{Images: map[string]runbook.Image{}, Migration: "none"}); !errors.As(err, &invalid) || len(invalid.Problems) != 2 {
		t.Errorf("a note without images: %v", err)
	}
	if _, err := c.Note(t.Context(), "../blog", note); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "no app") {
		t.Errorf("a note of another app: %v", err)
	}
	c.Token = "not-the-token-not-the-token-not-the-token"
	if err := c.Allowed(t.Context(), image("api", "a")); err == nil || !strings.Contains(err.Error(), "ROLLBACK_HTTP_TOKEN") {
		t.Errorf("with another token: %v", err)
	}
}

// What is no plain yes is no yes.
func TestClient_TakesNothingElseForAYes(t *testing.T) {
	a := image("api", "a")
	note := runbook.Deployed{Images: map[string]runbook.Image{"api": a}, Migration: runbook.MigrationNone}
	yes := `{"allowed": true, "digest": "` + string(a.Digest) + `"}`
	for name, answer := range map[string]http.HandlerFunc{
		"a page of a proxy":    text(200, "<html>Log in</html>"),
		"an empty answer":      text(200, ""),
		"null":                 text(200, "null"),
		"an empty object":      text(200, "{}"),
		"another digest":       text(200, strings.Replace(yes, "aaaa", "bbbb", 1)),
		"no digest":            text(200, `{"allowed": true}`),
		"half a yes":           text(200, yes[:len(yes)-1]),
		"yes that is no":       text(200, strings.Replace(yes, "true", "false", 1)),
		"yes as a failure":     text(500, yes),
		"yes as created":       text(201, yes),
		"a release as yes":     text(200, `{"id": "r-1", "images": {"api": "`+a.String()+`"}}`),
		"another release":      text(201, `{"id": "r-1", "images": {"api": "`+image("api", "b").String()+`"}}`),
		"not found":            text(404, "404 page not found"),
		"bad gateway":          text(502, "bad gateway"),
		"locked without why":   text(423, "{}"),
		"locked, says a proxy": text(423, "<html>"),
		"a redirect":           func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"hangs up":             func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hangs up in the answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, yes)
		},
		"never answers": func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body); <-r.Context().Done() },
		"never ends": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			c := &gate.Client{URL: server.URL, Token: token, Timeout: 300 * time.Millisecond}
			var blocked *runbook.QuarantinedError
			var invalid *gate.InvalidError
			for _, err := range []error{c.Allowed(t.Context(), a), second(c.Note(t.Context(), "shop", note))} {
				if err == nil || errors.As(err, &blocked) || errors.As(err, &invalid) || strings.Contains(err.Error(), token) {
					t.Errorf("taken for an answer: %v", err)
				}
			}
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if err := (&gate.Client{URL: gone.URL, Token: token}).Allowed(context.Background(), a); err == nil {
		t.Error("nobody is there, and it is allowed")
	}
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func second[T any](_ T, err error) error { return err }
