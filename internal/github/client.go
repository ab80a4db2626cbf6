// Package github reaches a GitHub: it opens postmortem tickets (tickets.go), and reads what lies between two commits,
// files and deployments (source.go). It implements runbook.Tickets, runbook.Source and runbook.Links.
//
// A token that may read the repository's contents, metadata, deployments and actions, and write its issues, is enough.
// It is shown nowhere: errors say what GitHub answered, and neither address nor header of the call.
package github

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"rollbackbot/runbook"
)

// callTimeout bounds one call. GitHub gives up on its own side after 10 s:
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
const callTimeout = 15 * time.Second

// maxAnswer bounds an answer in bytes: the largest that is asked for, a page of 100 issues with bodies of 64 KiB, is below.
const maxAnswer = 8 << 20

// Client reaches one GitHub. Its methods may be called from any goroutine.
type Client struct {
	api  *github.Client
	page string // where people look, without a slash at its end
}

var (
	_ runbook.Tickets = (*Client)(nil)
	_ runbook.Source  = (*Client)(nil)
	_ runbook.Links   = (*Client)(nil)
)

// New makes a Client. apiURL is the address of the REST API; empty means GitHub's own. It calls nobody.
func New(token, apiURL string) (*Client, error) {
	options := []github.ClientOptionsFunc{
		github.WithHTTPClient(&http.Client{Timeout: callTimeout, Transport: bounded{http.DefaultTransport}}),
		github.WithAuthToken(token), github.WithUserAgent("rollbackbot"),
	}
	page := "https://github.com"
	if apiURL != "" {
		if !strings.HasSuffix(apiURL, "/") {
			apiURL += "/"
		}
		options = append(options, github.WithURLs(&apiURL, nil))
		page = pageOf(apiURL)
	}
	api, err := github.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("make a client for GitHub: %w", err)
	}
	return &Client{api: api, page: page}, nil
}

// pageOf is where people look at the GitHub with that API: GitHub's own has it on a host named api, an Enterprise Server
// under /api/v3.
func pageOf(apiURL string) string {
	u, err := url.Parse(apiURL)
	if err != nil {
		return ""
	}
	if rest, ok := strings.CutPrefix(u.Host, "api."); ok {
		u.Host = rest
	}
	return strings.TrimSuffix(u.Scheme+"://"+u.Host+strings.TrimSuffix(u.Path, "api/v3/"), "/")
}

// bounded keeps an answer from filling the memory.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	}
	return answer, err
}

// split parts "owner/name".
func split(repository string) (owner, name string) {
	owner, name, _ = strings.Cut(repository, "/")
	return owner, name
}
