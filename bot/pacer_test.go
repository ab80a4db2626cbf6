package bot

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

type countingDoer struct{ at []time.Time }

func (c *countingDoer) Do(*http.Request) (*http.Response, error) {
	c.at = append(c.at, time.Now())
	return httptest.NewRecorder().Result(), nil
}

func open(t *testing.T, p *pacer, method string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://slack.test/api/"+method, nil)
	if _, err := p.Do(r); err != nil {
		t.Fatal(err)
	}
}

func TestPacer_SpacesOpenings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &countingDoer{}
		p := newPacer(inner)
		start := time.Now()
		for range 6 { // sockets that die at once
			open(t, p, "apps.connections.open")
		}
		want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second}
		for i, at := range inner.at {
			if got := at.Sub(start); got != want[i] {
				t.Errorf("opening %d came after %s, want %s", i, got, want[i])
			}
		}
		time.Sleep(steadyLife + time.Second) // one that lived
		before := time.Now()
		open(t, p, "apps.connections.open")
		if waited := time.Since(before); waited != 0 {
			t.Errorf("after a socket that lived, the opening waited %s, want none", waited)
		}
	})
}

func TestPacer_LeavesOtherCallsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(&countingDoer{})
		start := time.Now()
		open(t, p, "apps.connections.open")
		for range 10 {
			open(t, p, "chat.postMessage")
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("other calls waited %s, want none", waited)
		}
	})
}

func TestPacer_StopsWaitingWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &countingDoer{}
		p := newPacer(inner)
		open(t, p, "apps.connections.open")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://slack.test/api/apps.connections.open", nil)
		if _, err := p.Do(r); err == nil || len(inner.at) != 1 {
			t.Errorf("Do = %v after %d calls, want the context's error and 1 call", err, len(inner.at))
		}
	})
}
