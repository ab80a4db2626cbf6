package localslack_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"rollbackbot/internal/localslack"
)

// visit makes one request; edit changes it before it goes out.
func visit(t *testing.T, method, url, body string, edit func(*http.Request)) (int, http.Header, string) {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))
	edit(req)
	res := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer res.Body.Close()
	text := must[[]byte](t)(io.ReadAll(res.Body))
	return res.StatusCode, res.Header, string(text)
}

func nothing(*http.Request) {}

// cookie opens the page with its token and returns the cookie that it gives.
func cookie(t *testing.T, s *localslack.Server) string {
	t.Helper()
	status, header, body := visit(t, "GET", s.PageURL(), "", nothing)
	if status != http.StatusOK || !strings.Contains(body, "<!doctype html>") {
		t.Fatalf("the page answers %d: %.100s", status, body)
	}
	set := header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict"} {
		if !strings.Contains(set, want) {
			t.Errorf("cookie %q lacks %s", set, want)
		}
	}
	value, _, _ := strings.Cut(set, ";")
	return value
}

func TestGuard_Host(t *testing.T) {
	s := start(t)
	paths := []string{"/", "/api/api.test", "/page/events", "/page/static/app.js", "/link/", "/hook/x", "/upload/x"}
	for _, path := range paths {
		status, _, _ := visit(t, "POST", s.URL()+path, "", func(r *http.Request) { r.Host = "evil.example" })
		if status != http.StatusForbidden {
			t.Errorf("POST %s with a foreign Host: %d, want 403", path, status)
		}
	}
	port := s.URL()[strings.LastIndex(s.URL(), ":"):]
	if status, _, _ := visit(t, "POST", s.APIURL()+"api.test", "", func(r *http.Request) { r.Host = "localhost" + port }); status != http.StatusOK {
		t.Errorf("Host localhost: %d, want 200", status)
	}
}

func TestGuard_Token(t *testing.T) {
	s := start(t)
	right := cookie(t, s)
	name, _, _ := strings.Cut(right, "=")
	for _, path := range []string{"/", "/?token=guess", "/archives/C1TEAM/p1", "/page/static/app.js", "/page/events?as=U1ANA", "/page/file/F1"} {
		for _, given := range []string{"", name + "=guess"} {
			status, header, _ := visit(t, "GET", s.URL()+path, "", func(r *http.Request) { r.Header.Set("Cookie", given) })
			if status != http.StatusForbidden || header.Get("Set-Cookie") != "" {
				t.Errorf("GET %s with cookie %q: %d, want 403 and no cookie", path, given, status)
			}
		}
	}
	do := func(edit func(*http.Request)) int {
		t.Helper()
		status, _, _ := visit(t, "POST", s.URL()+"/page/do", `{"do":"send","as":"U1ANA","channel":"C1TEAM","text":"hello"}`, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Cookie", right)
			r.Header.Set("Origin", s.URL())
			edit(r)
		})
		return status
	}
	for name, edit := range map[string]func(*http.Request){
		"no cookie":        func(r *http.Request) { r.Header.Del("Cookie") },
		"a foreign Origin": func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		"Origin null":      func(r *http.Request) { r.Header.Set("Origin", "null") },
		"another port":     func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
		"a plain form":     func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
	} {
		if status := do(edit); status < 400 {
			t.Errorf("%s: %d, want a refusal", name, status)
		}
	}
	if len(s.Messages(team)) != 0 {
		t.Error("a refused request did something")
	}
	if status := do(nothing); status != http.StatusOK || len(s.Messages(team)) != 1 {
		t.Errorf("the page's own request: %d, %d messages", status, len(s.Messages(team)))
	}
}

func TestGuard_ForeignOriginAtTheAPI(t *testing.T) {
	s := start(t)
	status, header, _ := visit(t, "POST", s.APIURL()+"auth.test", "token=xoxb-test", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://evil.example")
	})
	if status != http.StatusForbidden || header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the API answers a foreign page with %d", status)
	}
}

func TestGuard_Policy(t *testing.T) {
	s := start(t)
	_, header, body := visit(t, "GET", s.PageURL(), "", nothing)
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if got := header.Get("Content-Security-Policy"); !strings.Contains(got, want) {
			t.Errorf("policy %q lacks %s", got, want)
		}
	}
	if strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the page names another address")
	}
}

func TestPage_EventsFollowChanges(t *testing.T) {
	s := start(t, localslack.WithBanner("Practice"), localslack.WithPeople(localslack.Person{User: ana, Role: "on-call"}))
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), "GET", s.URL()+"/page/events?as="+ana, nil))
	req.Header.Set("Cookie", cookie(t, s))
	res := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	next := func() string {
		t.Helper()
		for {
			if line := must[string](t)(lines.ReadString('\n')); strings.HasPrefix(line, "data: ") {
				return line
			}
		}
	}
	if first := next(); !strings.Contains(first, `"banner":"Practice"`) || !strings.Contains(first, `"role":"on-call"`) || strings.Contains(first, s.Workspace().BotToken) {
		t.Errorf("first event = %s", first)
	}
	must[localslack.Message](t)(s.Say(lena, team, "", "hello"))
	if second := next(); !strings.Contains(second, `"text":"hello"`) {
		t.Errorf("second event = %s", second)
	}
	must[string](t)(client(s).PostEphemeral(team, lena, text("for lena alone")))
	s.SetBanner("over")
	if third := next(); strings.Contains(third, "for lena alone") || !strings.Contains(third, "over") {
		t.Errorf("third event = %s", third)
	}
}
