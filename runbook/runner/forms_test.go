package runner

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// writings are the ways in which an app's files make the images, and what the pins file says there of each release.
var writings = []struct {
	name string
	tag  bool
	one  bool // one variable for all
	says func(version string, image runbook.Image) string
}{
	{"the digest", false, false, func(_ string, image runbook.Image) string { return string(image.Digest) }},
	{"a tag for each", true, false, func(_ string, image runbook.Image) string { return "rollback@" + string(image.Digest) }},
	{"one tag for all", true, true, func(version string, _ runbook.Image) string { return version }},
}

// write has the app's files make the images so, and the current release deployed so.
func (w *world) write(tag, one bool) {
	for i := range w.app.Services {
		if one {
			w.app.Services[i].Variable = "TAG"
		}
	}
	for _, host := range w.app.Hosts {
		w.lab.On(w.app, host)
	}
	w.onAll(func(s *standin.State) {
		for _, service := range w.app.Services {
			repository := w.v2[service.Name].Name
			s.Forms[service.Name] = standin.Form{Repository: repository, Tag: tag}
			s.Tags[repository+":v1"], s.Tags[repository+":v2"] = w.v1[service.Name], w.v2[service.Name]
		}
		s.Pins = nil
		s.Deploy(w.v2)
	})
}

// However an image is written, the pins say it on every way that a rollback may go.
func TestRollback_EachFormOfAnImage(t *testing.T) {
	for _, form := range writings {
		file := func(w *world, version string, images map[string]runbook.Image) string {
			pins := map[string]string{}
			for _, service := range w.app.Services {
				pins[service.Variable] = form.says(version, images[service.Name])
			}
			text := "SECRET=hunter2\n"
			for _, variable := range runbook.SortedKeys(pins) {
				text += variable + "=" + pins[variable] + "\n"
			}
			return text
		}
		try := func(name string, f func(t *testing.T, w *world, h *standin.Host)) {
			t.Run(form.name+", "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *world) {
					w.write(form.tag, form.one)
					f(t, w, w.hosts["deploy@one"])
				})
			})
		}
		try("rolled back", func(t *testing.T, w *world, h *standin.Host) {
			rb := w.run(goingWell)
			if now, want := pinsFile(h), file(w, "v1", w.v1); rb.Outcome != runbook.Succeeded || now != want {
				t.Errorf("outcome %s (%s), the file is\n%swant\n%s", rb.Outcome, rb.Why, now, want)
			}
			w.wantContainers(w.v1)
			_, err := preflight.Planner{Hosts: w.lab, Journal: w.journal}.Plan(t.Context(), w.app, runbook.Request{App: "shop", Images: w.v1})
			if already := (*runbook.AlreadyRunningError)(nil); !errors.As(err, &already) {
				t.Errorf("asked for again: %v", err)
			}
		})
		try("rolled forward", func(t *testing.T, w *world, h *standin.Host) {
			w.sick(w.v1["api"])
			rb := w.run(answers{
				runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.RollForward}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline},
			})
			if now, want := pinsFile(h), file(w, "v2", w.v2); rb.Outcome != runbook.RolledForward || now != want {
				t.Errorf("outcome %s (%s), the file is\n%swant\n%s", rb.Outcome, rb.Why, now, want)
			}
			w.wantContainers(w.v2)
		})
		try("aborted before up", func(t *testing.T, w *world, h *standin.Host) {
			before := pinsFile(h)
			w.exports(w.app.Services[2].Variable, w.v2["web"])
			rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"UONCALL", runbook.Abort}})
			if now := pinsFile(h); rb.Outcome != runbook.Aborted || now != before || len(h.UpsRun()) > 0 {
				t.Errorf("outcome %s, %d ups, the file is\n%swas\n%s", rb.Outcome, len(h.UpsRun()), now, before)
			}
		})
	}
}

// A tag that is moved once the plan is signed is found before any container is replaced.
func TestRollback_ATagThatIsMovedMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.write(true, true)
		h := w.hosts["deploy@one"]
		before := pinsFile(h)
		h.Set(func(s *standin.State) {
			s.AfterPins = func(s *standin.State) { s.Tags[w.v1["web"].Name+":v1"] = w.v2["web"] }
		})
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"UONCALL", runbook.Abort}})
		if now := pinsFile(h); rb.Outcome != runbook.Aborted || now != before || len(h.UpsRun()) > 0 {
			t.Errorf("outcome %s (%s), %d ups, the file is\n%swas\n%s", rb.Outcome, rb.Why, len(h.UpsRun()), now, before)
		}
	})
}

// Without a tag for what runs there is a way there, and none back: nobody is offered one.
func TestRollback_NoTagForTheWayBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.write(true, true)
		w.sick(w.v1["api"])
		w.hosts["deploy@one"].Set(func(s *standin.State) { delete(s.Tags, w.v2["api"].Name+":v2") })
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"UONCALL", runbook.Abort}})
		if rb.Plan.Reversible() || !strings.Contains(strings.Join(w.pinned(rb), " "), "TAG=v1") {
			t.Errorf("outcome %s (%s), reversible %v, pins %v", rb.Outcome, rb.Why, rb.Plan.Reversible(), w.pinned(rb))
		}
	})
}

// pinned are the lines that a plan writes.
func (w *world) pinned(rb runbook.Rollback) (lines []string) {
	for _, h := range rb.Plan.Hosts {
		for _, pin := range h.Pins() {
			lines = append(lines, pin.Variable+"="+pin.Value)
		}
	}
	return lines
}

// wantContainers wants every container on host one to run these images, whatever its pins say.
func (w *world) wantContainers(images map[string]runbook.Image) {
	w.t.Helper()
	for service, image := range images {
		if got := w.runsNow("deploy@one", service); !slices.Equal(got, []runbook.Image{image}) {
			w.t.Errorf("%s runs %v, want %s", service, got, image)
		}
	}
}
