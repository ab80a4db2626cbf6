package localslack

import (
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// contentPolicy lets the page load only what this server serves, and icons that are in the page itself. Pictures elsewhere
// are shown as links: the page works without a network and tells nobody that it is open.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

const (
	socketPath = "/link/"
	// slackOrigin is what slack-go sends as the origin of its sockets. The ticket in their URL, not the origin, is
	// what lets them in.
	slackOrigin = "https://api.slack.com"
)

// checkLoopback refuses addresses that others than this machine could reach.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address of the local Slack: %w", err)
	}
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || (err == nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("the local Slack listens on loopback addresses only, not on %q", host)
}

// handler is the whole server: every request passes the Host check, which keeps out pages that reach
// this port through a host name of their own (DNS rebinding).
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", s.serveAPI)
	mux.HandleFunc("GET "+socketPath, s.serveSocket)
	mux.HandleFunc("POST /hook/{secret}", s.serveHook)
	mux.HandleFunc("POST /upload/{secret}", s.serveUpload)
	s.pageRoutes(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			panic(http.ErrAbortHandler) // closing: whatever is answered now comes too late
		}
		defer s.work.Done()
		if !s.knownHost(r.Host) {
			http.Error(w, "unknown host", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if s.foreignOrigin(r) {
			http.Error(w, "foreign origin", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// knownHost accepts the listener's own address, and localhost with the same port.
func (s *Server) knownHost(host string) bool {
	if host == s.host() {
		return true
	}
	_, port, err := net.SplitHostPort(s.host())
	return err == nil && host == net.JoinHostPort("localhost", port)
}

// foreignOrigin reports whether a browser says that another page made the request. Programs send no
// Origin; neither do a browser's plain navigations, which change nothing here.
func (s *Server) foreignOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || (origin == slackOrigin && strings.HasPrefix(r.URL.Path, socketPath)) {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Scheme != "http" || u.Host != r.Host
}

// cookieName differs by port, because cookies don't: two servers on one machine would overwrite each other's.
func (s *Server) cookieName() string {
	_, port, _ := net.SplitHostPort(s.host())
	return "localslack-" + port
}

// letIn takes a token in the URL for a cookie, or else wants the cookie. It answers with the page at once rather than
// with a redirect, on which a browser that came from another site wouldn't send the new cookie; the page takes the
// token out of the address bar itself.
func (s *Server) letIn(w http.ResponseWriter, r *http.Request) bool {
	given := r.URL.Query().Get("token")
	if given == "" {
		return s.requirePage(w, r)
	}
	if !s.rightToken(given) {
		denyPage(w)
		return false
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: s.opts.pageToken, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	return true
}

// requirePage refuses requests without the page's cookie.
func (s *Server) requirePage(w http.ResponseWriter, r *http.Request) bool {
	c, err := r.Cookie(s.cookieName())
	if err == nil && s.rightToken(c.Value) {
		return true
	}
	denyPage(w)
	return false
}

func (s *Server) rightToken(given string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(s.opts.pageToken)) == 1
}

func denyPage(w http.ResponseWriter) {
	http.Error(w, "This page opens only with the link that the program printed when it started.", http.StatusForbidden)
}
