package bot

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

// doer is what slack-go wants of an HTTP client.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// pacer keeps apps.connections.open from being called in a burst, whichever socket wants it: one that opens well and
// dies at once, again and again, would have it called a thousand times a second. The method's tier is one a minute:
// https://docs.slack.dev/apis/web-api/rate-limits.
type pacer struct {
	next doer

	mu     sync.Mutex
	opened time.Time // when the last call was answered
	delay  time.Duration
}

const (
	// steadyLife is how long a socket lives at least for its successor to be opened at once.
	steadyLife   = 10 * time.Second
	firstSpacing = time.Second
	lastSpacing  = time.Minute
)

func newPacer(next doer) *pacer { return &pacer{next: next} }

// Do passes a request on; one that opens a socket waits for its turn first.
func (p *pacer) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/apps.connections.open") {
		return p.next.Do(r)
	}
	if err := sleep(r.Context(), p.spacing()); err != nil {
		return nil, err
	}
	defer p.answered()
	return p.next.Do(r)
}

// spacing is how long the next opening waits: nothing after a socket that lived, and longer and longer otherwise.
func (p *pacer) spacing() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.opened.IsZero() || time.Since(p.opened) > steadyLife:
		p.delay = 0
	case p.delay == 0:
		p.delay = firstSpacing
	default:
		p.delay = min(2*p.delay, lastSpacing)
	}
	return p.delay
}

func (p *pacer) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = time.Now()
}

// sleep waits for d, or until ctx ends: then its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
