package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// Client asks a bot from another machine. Its methods may be called from any goroutine.
//
// What an answer does not say plainly is an error: a page of some proxy with status 200 is no yes.
type Client struct {
	URL   string // the bot's address, as in https://rollbackbot.example.com; a path before /v1 may follow
	Token string
	// Timeout bounds one request in all; zero: 15 s, which is more than the bot itself takes before it gives up.
	Timeout time.Duration
}

const (
	clientTimeout = 15 * time.Second
	maxAnswer     = 1 << 20
)

// InvalidError says that the bot found what was sent wrong: all of it, a sentence each.
type InvalidError struct{ Problems []string }

func (e *InvalidError) Error() string { return strings.Join(e.Problems, "\n") }

// Allowed is nil when the bot says that none of the images is quarantined. A *runbook.QuarantinedError, joined with others,
// says which are; any other error means that it can't be judged.
func (c *Client) Allowed(ctx context.Context, images ...runbook.Image) error {
	var blocked []error
	for _, image := range images {
		status, body, err := c.do(ctx, http.MethodGet, "images/"+string(image.Digest), nil)
		if err == nil {
			err = c.judge(status, body, image)
		}
		var refusal *runbook.QuarantinedError
		if err != nil && !errors.As(err, &refusal) {
			return errors.Join(append(blocked, err)...) // a no that was said already stays one
		}
		if err != nil {
			blocked = append(blocked, err)
		}
	}
	return errors.Join(blocked...)
}

func (c *Client) judge(status int, body []byte, image runbook.Image) error {
	var said answer
	readable := json.Unmarshal(body, &said) == nil
	switch {
	case status == http.StatusOK && readable && said.Allowed != nil && *said.Allowed && said.Digest == image.Digest:
		return nil
	case status == http.StatusLocked && readable && said.Allowed != nil && !*said.Allowed && len(said.Quarantined) > 0:
		by := said.Quarantined[0]
		return &runbook.QuarantinedError{Image: image, App: by.App, Rollback: by.Rollback}
	}
	return c.refused(status, said.Problems)
}

// Note notes a deployment. A *runbook.QuarantinedError, joined with others, says that nothing was noted and why; an
// *InvalidError what is wrong with the note; after any other error nobody knows whether it was noted, and noting it again
// does no harm.
func (c *Client) Note(ctx context.Context, app string, note runbook.Deployed) (runbook.Release, error) {
	sent, err := json.Marshal(note)
	if err != nil {
		return runbook.Release{}, err
	}
	status, body, err := c.do(ctx, http.MethodPost, "apps/"+url.PathEscape(app)+"/deployments", sent)
	if err != nil {
		return runbook.Release{}, err
	}
	var said answer
	var release runbook.Release
	readable := json.Unmarshal(body, &said) == nil
	switch {
	case status == http.StatusCreated:
		if json.Unmarshal(body, &release) == nil && maps.Equal(release.Images, note.Images) {
			return release, nil
		}
	case status == http.StatusLocked && readable && len(said.Quarantined) > 0:
		return release, lockedError(said)
	case (status == http.StatusBadRequest || status == http.StatusNotFound) && readable && len(said.Problems) > 0:
		return release, &InvalidError{Problems: said.Problems}
	}
	return runbook.Release{}, c.refused(status, said.Problems)
}

func lockedError(said answer) error {
	var all []error
	for _, by := range said.Quarantined {
		image, err := runbook.ParseImage(by.Image)
		if err != nil {
			return fmt.Errorf("the bot's answer names no image: %w", err)
		}
		all = append(all, &runbook.QuarantinedError{Image: image, App: by.App, Rollback: by.Rollback})
	}
	return errors.Join(all...)
}

// refused is the error for an answer that is neither yes nor a plain no.
func (c *Client) refused(status int, problems []string) error {
	switch {
	case status == http.StatusUnauthorized:
		return fmt.Errorf("the bot at %s does not take this ROLLBACK_HTTP_TOKEN: give the one that it has", c.address())
	case status >= 300 && status < 400:
		return fmt.Errorf("what answers at %s leads elsewhere (status %d): set ROLLBACK_URL to where it leads", c.address(), status)
	case len(problems) > 0:
		return fmt.Errorf("the bot at %s can't answer (status %d): %s", c.address(), status, strings.Join(problems, "; "))
	}
	return fmt.Errorf("what answers at %s with status %d is no rollbackbot, or one of another version: see ROLLBACK_URL", c.address(), status)
}

// address is the bot's, without what a URL may hold beside it.
func (c *Client) address() string {
	parsed, err := url.Parse(c.URL)
	if err != nil {
		return "ROLLBACK_URL"
	}
	return parsed.Scheme + "://" + parsed.Host
}

func (c *Client) do(ctx context.Context, method, path string, sent []byte) (status int, body []byte, err error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = clientTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.URL, "/")+"/v1/"+path, bytes.NewReader(sent))
	if err != nil {
		return 0, nil, fmt.Errorf("ask the bot at %s: %w", c.address(), bare(err))
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Header.Set("Accept", "application/json")
	if sent != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	// A redirect is not followed: the token is for one address, and a POST would become a GET.
	asker := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := asker.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask the bot at %s: %w", c.address(), bare(err))
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read what the bot at %s answers: %w", c.address(), bare(err))
	}
	return response.StatusCode, body, nil
}

// bare is an error without the URL, which url.Error quotes.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() {
			return fmt.Errorf("no answer in time: %w", wrapped.Err)
		}
		return wrapped.Err
	}
	return err
}
