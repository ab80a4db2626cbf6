package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

var ticket = runbook.Ticket{Rollback: "rb-1", Title: "Postmortem", Body: postmortem.TicketMarker("rb-1") + "\n\n## What broke\n", Email: "ana@example.com"}

const issues = "POST /repos/acme/shop/issues"

func issue(number int, body string) object {
	return object{"number": number, "html_url": fmt.Sprint("https://github.com/acme/shop/issues/", number), "body": body}
}

func TestOpen_WithLabelsAndAssignee(t *testing.T) {
	f := newFake(t)
	f.on("GET /repos/acme/shop/commits", 200, []object{{"author": object{"login": "ana"}, "commit": object{"author": object{"email": "Ana@example.com"}}}})
	opened := issue(7, ticket.Body)
	opened["assignees"] = []object{{"login": "ana"}}
	f.on(issues, 201, opened)
	got, err := f.client().Open(t.Context(), repository, ticket)
	want := runbook.OpenedTicket{Number: 7, URL: "https://github.com/acme/shop/issues/7", Assignee: "ana"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	sent := f.last(issues)
	if fmt.Sprint(sent["labels"]) != "[postmortem rollback]" || fmt.Sprint(sent["assignees"]) != "[ana]" || sent["title"] != ticket.Title || sent["body"] != ticket.Body {
		t.Errorf("sent %v", sent)
	}
}

// An account that is not known, may not be assigned or can't be asked for keeps no ticket from being opened.
func TestOpen_WithoutAnAssignee(t *testing.T) {
	commits := []object{{"author": object{"login": "ana"}, "commit": object{"author": object{"email": "ana@example.com"}}}}
	others := []object{{"author": object{"login": "eve"}, "commit": object{"author": object{"email": "eve@example.com"}}}}
	for name, prepare := range map[string]func(*fakeGitHub){
		"nobody knows the address": func(f *fakeGitHub) { f.on("GET /search/users", 200, object{"total_count": 0, "items": []object{}}) },
		"two have it": func(f *fakeGitHub) {
			f.on("GET /search/users", 200, object{"items": []object{{"login": "a"}, {"login": "b"}}})
		},
		"the commits are of another": func(f *fakeGitHub) { f.on("GET /repos/acme/shop/commits", 200, others) },
		"the commits can't be read":  func(f *fakeGitHub) { f.on("GET /repos/acme/shop/commits", 500, object{}) },
		"they may not be assigned": func(f *fakeGitHub) {
			f.on("GET /repos/acme/shop/commits", 200, commits)
			f.answers[issues] = func(w http.ResponseWriter, _ *http.Request) {
				if f.count(issues) == 1 {
					http.Error(w, `{"message":"Validation Failed","errors":[{"field":"assignees","code":"invalid"}]}`, http.StatusUnprocessableEntity)
					return
				}
				w.WriteHeader(201)
				fmt.Fprint(w, `{"number":7,"html_url":"https://github.com/acme/shop/issues/7"}`)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on(issues, 201, issue(7, ""))
			prepare(f)
			got, err := f.client().Open(t.Context(), repository, ticket)
			if err != nil || got.Number != 7 || got.Assignee != "" {
				t.Errorf("got %+v, %v", got, err)
			}
			if sent := f.last(issues); sent["assignees"] != nil {
				t.Errorf("sent %v", sent)
			}
		})
	}
}

// What each answer means: no call will go well, later, or nobody knows. None of them shows the token or somebody's
// e-mail address.
func TestProblems(t *testing.T) {
	const denied, later, unknown = "denied", "later", "unknown"
	limited := func(header, value string, status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set(header, value)
			http.Error(w, body, status)
		}
	}
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, code) }
	}
	soon := fmt.Sprint(time.Now().Add(10 * time.Minute).Unix())
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   string
		says   string
	}{
		"401":                  {status(401, `{"message":"Bad credentials"}`), denied, "ROLLBACK_GITHUB_TOKEN"},
		"403":                  {status(403, `{"message":"Resource not accessible by integration"}`), denied, "the permission to write issues"},
		"404":                  {status(404, `{"message":"Not Found"}`), denied, "check REPOSITORY"},
		"410":                  {status(410, `{"message":"Issues are disabled for this repo"}`), denied, "switched off"},
		"422":                  {status(422, `{"message":"Validation Failed","errors":[{"field":"title","code":"missing"}]}`), denied, "title missing"},
		"451":                  {status(451, `{"message":"Repository access blocked"}`), denied, "451"},
		"429":                  {status(429, `{"message":"slow down"}`), later, "fewer calls"},
		"rate limit":           {limited("X-RateLimit-Reset", soon, 403, `{"message":"API rate limit exceeded"}`), later, "rate limit"},
		"secondary rate limit": {limited("Retry-After", "7", 403, `{"message":"You have exceeded a secondary rate limit","documentation_url":"https://docs.github.com/en/rest#secondary-rate-limits"}`), later, ""},
		"500":                  {status(500, `oops`), unknown, "500"},
		"502 with a page":      {status(502, `<html>bad gateway</html>`), unknown, "502"},
		"rubbish":              {status(201, `}{`), unknown, "can't be read"},
		"nothing":              {status(201, ``), unknown, ""},
		"another thing":        {status(201, `{"number":0}`), unknown, "names no issue"},
		"a list":               {status(201, `[1,2]`), unknown, "can't be read"},
		"cut off":              {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, unknown, "can't be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.answers[issues] = c.answer
			_, err := f.client().Open(t.Context(), repository, ticket)
			if got := kindOf(err); got != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want %s: …%s…", got, err, c.kind, c.says)
			}
			for _, secret := range []string{token, "ana@"} {
				if strings.Contains(fmt.Sprintf("%v %+v %v", err, err, errors.Unwrap(err)), secret) {
					t.Errorf("%q shows in %v", secret, err)
				}
			}
			if retry := new(runbook.RetryError); errors.As(err, &retry) && (retry.After <= 0 || retry.After > time.Hour) {
				t.Errorf("try again in %s", retry.After)
			}
		})
	}
}

func kindOf(err error) string {
	var denied *runbook.DeniedError
	var later *runbook.RetryError
	switch {
	case err == nil:
		return "fine"
	case errors.As(err, &denied):
		return "denied"
	case errors.As(err, &later):
		return "later"
	}
	return "unknown"
}

func TestOpen_HangsNoLongerThanItsCaller(t *testing.T) {
	f := newFake(t)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	f.answers[issues] = func(http.ResponseWriter, *http.Request) { <-over }
	ctx, cancel := contextWithTimeout(t, 50*time.Millisecond)
	defer cancel()
	if _, err := f.client().Open(ctx, repository, runbook.Ticket{}); kindOf(err) != "unknown" || !strings.Contains(err.Error(), "in time") {
		t.Errorf("got %v", err)
	}
}

func TestOpen_WrongToken(t *testing.T) {
	f := newFake(t)
	f.on(issues, 201, issue(7, ""))
	_, err := newClient(t, "ghp_wrong", f.URL).Open(t.Context(), repository, ticket)
	if kindOf(err) != "denied" || strings.Contains(err.Error(), "ghp_wrong") {
		t.Errorf("got %v", err)
	}
}

func TestPublic(t *testing.T) {
	f := newFake(t)
	if public, err := f.client().Public(t.Context(), repository); err == nil || !public {
		t.Errorf("a repository that can't be read is public: %t, %v", public, err)
	}
	for private, want := range map[bool]bool{true: false, false: true} {
		f.on("GET /repos/acme/shop", 200, object{"private": private})
		if public, err := f.client().Public(t.Context(), repository); err != nil || public != want {
			t.Errorf("private %t: public %t, %v", private, public, err)
		}
	}
}

func TestFind_ByItsMarkerAlone(t *testing.T) {
	f := newFake(t)
	c := f.client()
	since := time.Now()
	list := "GET /repos/acme/shop/issues"
	pull := issue(3, ticket.Body)
	pull["pull_request"] = object{"url": "x"}
	f.on(list, 200, []object{issue(9, postmortem.TicketMarker("rb-2")), pull, issue(2, "rb-1"), {"number": 1, "html_url": "https://x"}})
	if got, found, err := c.Find(t.Context(), repository, "rb-1", since); found || err != nil {
		t.Errorf("found %+v, %v", got, err)
	}
	f.on(list, 200, []object{issue(9, ""), issue(8, ticket.Body), issue(7, ticket.Body)})
	if got, found, err := c.Find(t.Context(), repository, "rb-1", since); !found || err != nil || got.Number != 7 {
		t.Errorf("found %+v, %t, %v", got, found, err)
	}
	if !slices.ContainsFunc(f.asked, func(call string) bool {
		return strings.Contains(call, "state=all") && strings.Contains(call, "since=")
	}) {
		t.Errorf("asked %v", f.asked)
	}
	f.on(list, 503, object{})
	if _, found, err := c.Find(t.Context(), repository, "rb-1", since); found || kindOf(err) != "unknown" {
		t.Errorf("a list that can't be read: %t, %v", found, err)
	}
}

// The pages are bounded; where there are more, the search decides.
func TestFind_InAListWithoutEnd(t *testing.T) {
	f := newFake(t)
	f.answers["GET /repos/acme/shop/issues"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?page=%d>; rel="next"`, f.URL, r.URL.Path, f.count("GET /repos/acme/shop/issues")+1))
		fmt.Fprint(w, `[{"number":1,"html_url":"https://x","body":"another"}]`)
	}
	f.on("GET /search/issues", 200, object{"total_count": 1, "items": []object{issue(7, ticket.Body)}})
	got, found, err := f.client().Find(t.Context(), repository, "rb-1", time.Now())
	if err != nil || !found || got.Number != 7 || f.count("GET /repos/acme/shop/issues") != 10 {
		t.Errorf("found %+v, %t, %v after %d pages", got, found, err, f.count("GET /repos/acme/shop/issues"))
	}
	f.on("GET /search/issues", 200, object{"incomplete_results": true, "items": []object{}})
	if _, found, err := f.client().Find(t.Context(), repository, "rb-1", time.Now()); found || err == nil {
		t.Errorf("a search that gave up says no: %t, %v", found, err)
	}
}

func TestUpdate_LeavesWhatPeopleWrote(t *testing.T) {
	const line, newLine = "<!-- rollbackbot:owner -->old<!-- /rollbackbot:owner -->", "<!-- rollbackbot:owner -->new<!-- /rollbackbot:owner -->"
	f := newFake(t)
	opened := issue(7, "before "+line+" after, by people")
	opened["assignees"] = []object{{"login": "ana"}, {"login": "carl"}}
	f.on("GET /repos/acme/shop/issues/7", 200, opened)
	f.on("GET /repos/acme/shop/commits", 200, []object{{"author": object{"login": "ben"}, "commit": object{"author": object{"email": "ben@example.com"}}}})
	f.on("PATCH /repos/acme/shop/issues/7", 200, object{"number": 7, "assignees": []object{{"login": "carl"}, {"login": "ben"}}})
	account, err := f.client().Update(t.Context(), repository, 7, runbook.Ticket{Body: "x " + newLine + " y", Email: "ben@example.com", Former: "ana"})
	sent := f.last("PATCH ")
	if err != nil || account != "ben" || sent["body"] != "before "+newLine+" after, by people" || fmt.Sprint(sent["assignees"]) != "[carl ben]" || sent["title"] != nil || sent["labels"] != nil || sent["state"] != nil {
		t.Errorf("%q, %v; sent %v", account, err, sent)
	}
	// Who may not be assigned there is not, and the rest is done.
	f.answers["PATCH /repos/acme/shop/issues/7"] = func(w http.ResponseWriter, _ *http.Request) {
		if fmt.Sprint(f.last("PATCH ")["assignees"]) == "[carl ben]" {
			http.Error(w, `{"message":"Validation Failed"}`, http.StatusUnprocessableEntity)
			return
		}
		fmt.Fprint(w, `{"number":7,"assignees":[{"login":"carl"}]}`)
	}
	account, err = f.client().Update(t.Context(), repository, 7, runbook.Ticket{Body: newLine, Email: "ben@example.com", Former: "ana"})
	if sent := f.last("PATCH "); err != nil || account != "" || sent["body"] == nil || fmt.Sprint(sent["assignees"]) != "[carl]" {
		t.Errorf("%q, %v; sent %v", account, err, sent)
	}
	// The same again changes nothing.
	f.on("GET /repos/acme/shop/issues/7", 200, object{"number": 7, "html_url": "https://x", "body": newLine, "assignees": []object{{"login": "ben"}}})
	before := f.count("PATCH ")
	if _, err := f.client().Update(t.Context(), repository, 7, runbook.Ticket{Body: newLine, Email: "ben@example.com", Former: "ben"}); err != nil || f.count("PATCH ") != before {
		t.Errorf("%v, %d changes", err, f.count("PATCH ")-before)
	}
}

func TestClient_TakesNoEndlessAnswer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 12 << 10 {
			if _, err := fmt.Fprintf(w, "[%s", strings.Repeat(" ", 1023)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	if _, _, err := newClient(t, token, s.URL).Find(t.Context(), repository, "rb-1", time.Now()); kindOf(err) != "unknown" {
		t.Errorf("got %v", err)
	}
}
