package runner

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// stocks are the looks at images that were journalled.
func (w *world) stocks() (facts []runbook.ImagesChecked) {
	for _, e := range w.events() {
		if fact, ok := e.Fact.(runbook.ImagesChecked); ok {
			facts = append(facts, fact)
		}
	}
	return facts
}

func TestStock_DailyAndFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t, "deploy@one", "deploy@two")
		defer stop()
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		w.deploy(runbooktest.Release(3))
		w.prune("deploy@two", w.v1["api"])
		time.Sleep(15 * time.Minute)
		checked := w.stocks()
		if len(checked) != 1 || checked[0].Release != runbook.ReleaseID(w.v1) || len(checked[0].Gone) != 0 {
			t.Fatalf("checked: %+v, want the default target once", checked)
		}
		if on := checked[0].Hosts[1]; len(on.Missing) != 0 || !slices.Equal(on.Fetched, []runbook.Image{w.v1["api"]}) {
			t.Errorf("deploy@two: %+v, want its api fetched", on)
		}
		if !w.has("deploy@two", w.v1["api"]) {
			t.Error("it was not fetched")
		}
		time.Sleep(23 * time.Hour)
		if got := len(w.stocks()); got != 1 {
			t.Errorf("checked %d times within a day", got)
		}
		time.Sleep(2 * time.Hour)
		if got := len(w.stocks()); got != 2 {
			t.Errorf("checked %d times in a day and an hour", got)
		}
	})
}

func TestStock_GoneEverywhereIsNotChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t, "deploy@one", "deploy@two")
		defer stop()
		w.deploy(runbooktest.Release(4))
		time.Sleep(15 * time.Minute)
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		web := w.v1["web"]
		w.deploy(w.v2)
		w.onAll(func(s *standin.State) { delete(s.Here, web); delete(s.Registry, web) })
		time.Sleep(20 * time.Minute)
		history := w.history()
		v1, _ := history.Of(w.v1)
		if !slices.Equal(v1.Gone, []runbook.Image{web}) || !strings.Contains(runbook.Describe(v1), "its images are gone") {
			t.Errorf("v1 is %s, gone: %v", runbook.Describe(v1), v1.Gone)
		}
		if target, err := history.Choose(w.app, runbook.Request{}, []map[string]runbook.Image{w.v2}); err != nil || target.ID != runbook.ReleaseID(runbooktest.Release(4)) {
			t.Errorf("previous is %v, %v", target.ID, err)
		}
		w.onAll(func(s *standin.State) { s.Registry[web] = true })
		time.Sleep(26 * time.Hour)
		if v1, _ = w.history().Of(w.v1); len(v1.Gone) != 0 {
			t.Errorf("the registry has it again for a day, and it still counts as gone: %v", v1.Gone)
		}
	})
}

// A registry that can't be asked is no reason not to try, where it is known how large images of that name are; what a fetch
// then hears from the registry itself counts.
func TestStock_TheFetchIsTheJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t, "deploy@one")
		defer stop()
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		web := w.v1["web"]
		w.deploy(w.v2)
		w.onAll(func(s *standin.State) {
			delete(s.Here, web)
			delete(s.Registry, web)
			s.Unasked, s.Sizes[web] = true, 1<<20
		})
		time.Sleep(20 * time.Minute)
		if v1, _ := w.history().Of(w.v1); !slices.Equal(v1.Gone, []runbook.Image{web}) {
			t.Errorf("gone is %v, want what the fetch was denied", v1.Gone)
		}
		w.onAll(func(s *standin.State) { s.Registry[web] = true })
		time.Sleep(26 * time.Hour)
		if v1, _ := w.history().Of(w.v1); len(v1.Gone) != 0 || !w.has("deploy@one", web) {
			t.Errorf("the registry has it again, gone is %v", v1.Gone)
		}
	})
}
