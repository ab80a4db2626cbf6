package githubtest

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"net/http/httptest"
)

// Lossy is a way to a GitHub on which answers to opened issues get lost, after GitHub has done what was asked.
type Lossy struct {
	URL    string
	Opened atomic.Int32 // how often an issue was opened over it
	lose   atomic.Int32
}

// Between starts such a way, which loses the first answers. It ends with the test.
func Between(tb testing.TB, e *Emulator, lose int) *Lossy {
	tb.Helper()
	target, err := url.Parse(e.URL)
	if err != nil {
		tb.Fatal(err)
	}
	l := &Lossy{}
	l.lose.Store(int32(lose))
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(answer *http.Response) error {
			if answer.Request.Method == http.MethodPost && strings.HasSuffix(answer.Request.URL.Path, "/issues") {
				l.Opened.Add(1)
				if l.lose.Add(-1) >= 0 {
					panic(http.ErrAbortHandler) // the connection ends, and nobody is told
				}
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	tb.Cleanup(server.Close)
	l.URL = server.URL
	return l
}
