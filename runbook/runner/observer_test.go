package runner

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/outbox"
	"rollbackbot/runbook/watch"
)

// observed is a world whose history is still empty, and in which an observer looks every minute, and a herald tells.
func observed(t *testing.T, names ...runbook.Host) (*world, func()) {
	return newEmptyWorld(t, runbooktest.NewMemoryStore(), names...).observeOn()
}

// observeOn starts an observer on what is there.
func (w *world) observeOn() (*world, func()) { return observedBy(w.t, w, func(*watch.Observer) {}) }

func observedBy(t *testing.T, w *world, with func(*watch.Observer)) (*world, func()) {
	ctx, stop := context.WithCancel(t.Context())
	o := watch.Observer{Hosts: w.lab, Journal: w.journal, Health: w.lab.Health(), Interval: time.Minute,
		Suggest: true, Problem: func(app string, err error) { t.Logf("%s: %v", app, err) }}
	r := Runner{Journal: w.journal}
	h := outbox.NewHerald(w.journal, w.slack, func(runbook.Event) {}, func(err error) { t.Log(err) }, r.bulletinsOf([]runbook.App{w.app}))
	o.News = h.Wake
	with(&o)
	var both sync.WaitGroup
	both.Go(func() { o.ObserveAll(ctx, []runbook.App{w.app}) })
	both.Go(func() { h.Tell(ctx) })
	return w, func() { stop(); both.Wait() }
}

func (w *world) kinds() (kinds []string) {
	for _, e := range w.events() {
		kinds = append(kinds, e.Fact.Kind())
	}
	return kinds
}

func (w *world) history() history.History {
	return history.New(w.events())
}

// With nobody noting anything: v1 runs well, v2 is broken, and previous is v1.
func TestObserver_FindsTheKnownGoodReleaseByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t)
		defer stop()
		w.deploy(w.v1)
		time.Sleep(9 * time.Minute)
		got := slices.DeleteFunc(w.kinds(), func(kind string) bool { return kind == "described" })
		if !slices.Equal(got, []string{"observed"}) && !slices.Equal(got, []string{"observed", "observed"}) {
			t.Errorf("after 9 minutes the journal has %v", got)
		}
		time.Sleep(4 * time.Minute)
		if history := w.history(); history.Releases()[0].VerifiedAt.IsZero() {
			t.Errorf("after 13 healthy minutes v1 is not known-good: %v", w.kinds())
		}
		w.deploy(w.v2)
		time.Sleep(time.Hour)
		history := w.history()
		release, err := history.Choose(w.app, runbook.Request{}, []map[string]runbook.Image{w.v2})
		if err != nil || runbook.ReleaseID(release.Images) != runbook.ReleaseID(w.v1) {
			t.Errorf("previous is %v, %v", release, err)
		}
		if v2, _ := history.Of(w.v2); v2.KnownGood() {
			t.Error("v2 answers 503 and counts as known-good")
		}
	})
}

func TestObserver_ARestartBreaksTheCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t)
		defer stop()
		w.deploy(w.v1)
		for range 20 {
			time.Sleep(5 * time.Minute)
			w.restarts("deploy@one", "api", 1)
		}
		if slices.Contains(w.kinds(), "verified") {
			t.Error("a container that restarts every five minutes counts as known-good after ten")
		}
	})
}

func TestObserver_WhatItCantSeeIsNotHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t, "deploy@one", "deploy@two")
		defer stop()
		w.deploy(w.v1)
		for range 10 {
			time.Sleep(8 * time.Minute)
			w.down("deploy@two", true)
			time.Sleep(2 * time.Minute)
			w.down("deploy@two", false)
		}
		if slices.Contains(w.kinds(), "verified") {
			t.Error("a release that was never seen for ten minutes on end counts as known-good")
		}
	})
}

func TestObserver_SaysOnceThatHostsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t, "deploy@one", "deploy@two")
		defer stop()
		w.hosts["deploy@two"].Set(func(s *standin.State) { put(s, "web", w.v1["web"]) })
		time.Sleep(time.Hour)
		if got := w.kinds(); !slices.Equal(got, []string{"diverged", "drifted", "notice_intended", "notice_posted"}) {
			t.Errorf("the journal has %v", got)
		}
	})
}
