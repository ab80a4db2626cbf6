package localslack

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// method is one method of the Web API.
type method struct {
	scopes []string // any one of them is enough; none: no scope is needed
	app    bool     // takes the app's token instead of the bot's
	open   bool     // takes no token at all
	tier   tier
	// run carries the call out, with the server's lock held.
	run func(s *Server, a args) (object, error)
}

// apiError is an answer that isn't ok.
type apiError struct {
	code     string
	messages []string // response_metadata.messages: what is wrong where
	more     object   // further fields of the answer
}

func (e *apiError) Error() string { return e.code }

// fail makes the error of a code.
func fail(code string) error { return &apiError{code: code} }

// serveAPI answers one Web API call.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/api/")
	a, err := readArgs(w, r)
	if err != nil {
		writeJSON(w, http.StatusOK, object{"ok": false, "error": "invalid_json"})
		return
	}
	call, index := s.record(name, a)
	f := s.faultFor(call)
	if f != nil {
		if over, status, code := s.spoil(f, w, r); over {
			s.recordEnd(index, status, code)
			return
		}
	}
	status, code := s.answer(w, r, name, a, f != nil && f.LoseAnswer)
	s.recordEnd(index, status, code)
}

// answer carries a call out and writes what came of it, unless that is to be lost.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, name string, a args, lose bool) (status int, code string) {
	m, known := s.api[name]
	if !known {
		writeJSON(w, http.StatusOK, object{"ok": false, "error": "unknown_method", "req_method": name})
		return http.StatusOK, "unknown_method"
	}
	s.mu.Lock()
	wait := 0
	if s.opts.rateLimits {
		wait = s.limiter.take(name, m.tier, a.str("channel"), s.opts.now())
	}
	scopes := strings.Join(s.world.ws.Scopes, ",")
	var result object
	var err error
	if wait == 0 {
		result, err = s.run(m, bearer(r, a), a)
	}
	s.mu.Unlock()
	if wait > 0 {
		tooMany(w, wait)
		return http.StatusTooManyRequests, "ratelimited"
	}
	w.Header().Set("X-OAuth-Scopes", scopes)
	w.Header().Set("X-Accepted-OAuth-Scopes", strings.Join(m.scopes, ","))
	body, code := reply(result, err)
	if lose {
		resetConnection(w)
		return 0, code
	}
	writeJSON(w, http.StatusOK, body)
	return http.StatusOK, code
}

// run checks the token and its scopes and carries the call out.
func (s *Server) run(m method, token string, a args) (object, error) {
	if err := s.authorize(m, token); err != nil {
		return nil, err
	}
	result, err := m.run(s, a)
	if err == nil {
		s.touchLocked()
	}
	return result, err
}

// authorize answers with Slack's errors for missing, unknown and wrong tokens and missing scopes.
func (s *Server) authorize(m method, token string) error {
	ws := s.world.ws
	switch {
	case m.open:
		return nil
	case token == "":
		return fail("not_authed")
	case token != ws.BotToken && token != ws.AppToken:
		return fail("invalid_auth")
	case m.app != (token == ws.AppToken):
		return fail("not_allowed_token_type")
	}
	return s.needScope(m.scopes...)
}

// needScope answers missing_scope unless the bot token has one of the scopes.
func (s *Server) needScope(oneOf ...string) error {
	have := s.world.ws.Scopes
	if len(oneOf) == 0 || slices.ContainsFunc(oneOf, func(scope string) bool { return slices.Contains(have, scope) }) {
		return nil
	}
	return &apiError{code: "missing_scope", more: object{
		"needed": strings.Join(oneOf, ","), "provided": strings.Join(have, ","),
	}}
}

// bearer finds the token: in the Authorization header, or in the form. Slack takes both, and clients differ.
func bearer(r *http.Request, a args) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(token)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return "" // Slack ignores a token inside a JSON body
	}
	return a.str("token")
}

// reply is the body of an answer.
func reply(result object, err error) (body object, code string) {
	if err == nil {
		body = object{"ok": true}
		maps.Copy(body, result)
		return body, ""
	}
	e, ok := err.(*apiError)
	if !ok {
		panic(fmt.Sprintf("a method answered with %T, which is no error of Slack's: %v", err, err))
	}
	body = object{"ok": false, "error": e.code}
	maps.Copy(body, e.more)
	if len(e.messages) > 0 {
		body["response_metadata"] = object{"messages": e.messages}
	}
	return body, e.code
}
