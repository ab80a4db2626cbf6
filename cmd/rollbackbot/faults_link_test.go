package main_test

import (
	"crypto/rand"
	"testing"
	"time"

	"rollbackbot/internal/realhost"
)

// TestLink_CutWhileContainersAreReplaced cuts the connection again and again while compose replaces the containers:
// compose goes on, and the bot says nothing that isn't so.
func TestLink_CutWhileContainersAreReplaced(t *testing.T) {
	t.Parallel()
	s := newCutSeries(t, newWorld(t), "deploy", 1500*time.Millisecond)
	// The first cut is before or while the command line is sent, the others are spread over the second that it takes.
	s.named = [][]time.Duration{{0}, {100 * time.Millisecond, 500 * time.Millisecond, 900 * time.Millisecond}}
	line := "/rollback " + s.app + " to v1 because v2 answers 503"
	for moments, ok := s.next(); ok; moments, ok = s.next() {
		if s.rollbacks > 0 {
			s.stack.Up(t, "v2")
		}
		ended := s.watched.ended(t)
		s.midst = func() bool { return s.watched.ended(t) == ended }
		s.rollback(t, moments, func(n int, _ *cutter) { s.insist(t, n, line, func() {}) })
	}
	s.check(t)
}

// TestLink_CutWhilePulling cuts the connection while images are on their way: first those that are fetched while the
// lead decides, then those that the execution fetches. What was cut is done again, and nobody hears that it failed.
func TestLink_CutWhilePulling(t *testing.T) {
	t.Parallel()
	good, sick := realhost.V1, realhost.V2
	good.Build = rand.Text() // no other test's: the engine must have to fetch them
	w := newWorld(t, good, sick)
	s := newCutSeries(t, w, "fetch", 4*time.Second)
	s.named = [][]time.Duration{{0, 200 * time.Millisecond}}
	s.midst = func() bool { return true } // the registry sends nothing until all cuts are made
	line := "/rollback " + w.app + " to v1 because v2 answers 503"
	defer w.registry.Release(t)
	for moments, ok := s.next(); ok; moments, ok = s.next() {
		if s.rollbacks > 0 {
			w.stack.Up(t, "v2")
		}
		realhost.RemoveFromHost(t, refs(w.stack.Images("v1"))...)
		w.registry.Hold(t)
		s.rollback(t, moments, func(n int, c *cutter) {
			w.connected(t)
			w.types(t, onCall, line)
			w.request(t, n)
			w.cutBeforehand(t)
			w.insist(t, n, line, func() {
				if c.done() {
					w.registry.Release(t)
				}
			})
		})
	}
	s.check(t)
}

// cutBeforehand cuts the connection while images are fetched before anybody has signed off.
func (w *world) cutBeforehand(tb testing.TB) {
	tb.Helper()
	for deadline := time.Now().Add(patience); w.host.Cut(tb) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("the bot has no connection to the host:\n%s", w.transcript())
		}
	}
}
