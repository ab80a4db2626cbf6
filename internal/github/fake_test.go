package github_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"rollbackbot/internal/github"
)

const (
	token      = "ghp_averysecrettoken00000"
	repository = "acme/shop"
)

// fakeGitHub answers what a test tells it to, by method and path, and remembers what it was asked.
type fakeGitHub struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   []string
	bodies  []map[string]any
}

func newFake(t *testing.T) *fakeGitHub {
	f := &fakeGitHub{t: t, answers: map[string]http.HandlerFunc{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

// on has a call answered with a status and JSON.
func (f *fakeGitHub) on(call string, status int, body any) {
	f.answers[call] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (f *fakeGitHub) serve(w http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.bodies = append(f.bodies, body)
	f.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		return
	}
	answer := f.answers[call]
	if answer == nil {
		http.Error(w, `{"message":"Not Found"}`, http.StatusNotFound)
		return
	}
	answer(w, r)
}

// last is the body of the last call of that kind.
func (f *fakeGitHub) last(prefix string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.asked) - 1; i >= 0; i-- {
		if strings.HasPrefix(f.asked[i], prefix) {
			return f.bodies[i]
		}
	}
	return nil
}

func (f *fakeGitHub) count(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range f.asked {
		if strings.HasPrefix(call, prefix) {
			n++
		}
	}
	return n
}

func (f *fakeGitHub) client() *github.Client {
	f.t.Helper()
	return newClient(f.t, token, f.URL)
}

func newClient(t *testing.T, token, url string) *github.Client {
	t.Helper()
	c, err := github.New(token, url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type object = map[string]any
