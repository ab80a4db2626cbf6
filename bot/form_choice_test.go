package bot_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// offered are the values of a view's releases, in their order; nil where the release is typed.
func offered(t *testing.T, v localslack.View) []string {
	t.Helper()
	var blocks []struct {
		ID      string `json:"block_id"`
		Element struct {
			Options []struct {
				Value string `json:"value"`
			} `json:"options"`
		} `json:"element"`
	}
	if err := json.Unmarshal(v.Blocks, &blocks); err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, b := range blocks {
		if b.ID != "release" {
			continue
		}
		for _, option := range b.Element.Options {
			values = append(values, option.Value)
		}
	}
	return values
}

// submit sends the person's form with these fields.
func (b *bench) submit(person string, view localslack.View, fields map[string]any) localslack.Ack {
	b.Helper()
	ack, err := b.slack.Submit(b.Context(), person, view.ID, fill(fields))
	if err != nil {
		b.Fatal(err)
	}
	return ack
}

// know adds to what is known of the releases.
func (b *bench) know(facts ...runbook.Fact) {
	b.runner.mu.Lock()
	defer b.runner.mu.Unlock()
	for i, fact := range facts {
		at := b.runner.history[len(b.runner.history)-1].At.Add(time.Duration(i+1) * time.Minute)
		b.runner.history = append(b.runner.history, runbook.Event{App: "shop", Rollback: "rb-new", At: at, Fact: fact})
	}
}

// The line says the same as the form, word for word, and the form the same as the line.
func TestForm_AsksForWhatItsLineAsksFor(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"default":  {},
		"criteria": {"criteria": []string{"decision", "health"}},
		"all": {
			"release": "v1", "migration": "yes", "owner": kim, "criteria": []string{"regression"},
			"reason": " <!channel> *down* & out\nsince noon 🔥 \u202eשלום because to v2 owner <@U9> ",
		},
		"images": {"other": "api=" + image("1").String()},
		"digest": {"other": "SHA256:1111111111111…", "reason": strings.Repeat("é", 3000)},
	} {
		t.Run(name, func(t *testing.T) {
			b := build(t)
			b.runner.history = history()
			b.opens()
			b.start()
			if ack := b.submit(ana, b.opened(ana), fields); len(ack.Errors) > 0 {
				t.Fatalf("errors %q", ack.Errors)
			}
			b.told(ana, "rb-one")
			formed := b.runner.asked()[0]
			line := bot.CommandOf(formed).Line()
			command, err := bot.Parse(line)
			if err != nil {
				t.Fatalf("the line %q: %v", line, err)
			}
			typed := command.Request(ana, formed.At)
			if typed.Release == "" && len(typed.Images) == 0 {
				typed.Release = runbook.Previous // two words for the same
			}
			a, _ := json.Marshal(formed)
			z, _ := json.Marshal(typed)
			if string(a) != string(z) {
				t.Errorf("the form asks for\n%s\nits line %q for\n%s", a, line, z)
			}
		})
	}
}

func TestForm_CriteriaAndWordsAreTheReason(t *testing.T) {
	b := listen(t)
	b.opens()
	b.submit(ana, b.opened(ana), map[string]any{"criteria": []string{"regression", "error_rate"}, "reason": "checkout 🔥"})
	b.told(ana, "rb-one")
	want := "checkout 🔥\nError rate significantly above baseline within 10 minutes of deployment\nA critical regression is confirmed in production monitoring"
	if got := b.runner.asked()[0].Reason; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestForm_AnotherAppRefills(t *testing.T) {
	b := build(t, "shop", "blog")
	b.runner.history = history()
	b.opens()
	b.start()
	view := b.opened(ana)
	if got := offered(t, view); got != nil {
		t.Errorf("before an app is chosen %q is offered", got)
	}
	if _, err := b.slack.ClickView(t.Context(), ana, view.ID, "app", "shop"); err != nil {
		t.Fatal(err)
	}
	b.wait("the releases", func(now *localslack.Snapshot) bool {
		view, _ = now.OpenView(ana)
		return len(offered(t, view)) == 5
	})
	b.inbox.settle(t, 2)
	if ack := b.submit(ana, view, map[string]any{"app": "blog", "release": "v1"}); !strings.Contains(ack.Errors["release"], "those of shop") {
		t.Errorf("errors %q, want that those are another app's releases", ack.Errors)
	}
	b.wait("the releases of blog", func(now *localslack.Snapshot) bool {
		view, _ = now.OpenView(ana)
		return strings.Contains(view.PrivateMetadata, `"shown":"blog"`)
	})
	if ack := b.submit(ana, view, map[string]any{"release": "v1", "reason": "x"}); len(ack.Errors) > 0 {
		t.Fatalf("errors %q", ack.Errors)
	}
	b.told(ana, "rb-one")
	if r := b.runner.asked(); len(r) != 1 || r[0].App != "blog" || r[0].Release != "v1" {
		t.Errorf("requests %+v, want one for blog to v1", r)
	}
}

func TestForm_SentAfterTheSituationChanged(t *testing.T) {
	quarantined := runbook.Quarantined{Images: []runbook.Image{image("1")}}
	gone := runbook.ImagesChecked{Images: map[string]runbook.Image{"api": image("1")}, Gone: []runbook.Image{image("1")}}
	for name, c := range map[string]struct {
		fact    runbook.Fact
		release string
		want    string
	}{
		"quarantined":         {quarantined, "v1", "quarantined by rollback rb-new"},
		"gone":                {gone, "v1", "gone"},
		"default quarantined": {quarantined, "previous", "The default"},
		"default gone":        {gone, "previous", "The default"},
	} {
		t.Run(name, func(t *testing.T) {
			b := build(t)
			b.runner.history = history()
			b.opens()
			b.start()
			view := b.opened(ana)
			b.know(c.fact)
			ack := b.submit(ana, view, map[string]any{"release": c.release})
			if !strings.Contains(ack.Errors["release"], c.want) {
				t.Fatalf("errors %q, want %q at the release", ack.Errors, c.want)
			}
			b.wait("the form to be brought up to date", func(now *localslack.Snapshot) bool {
				v, _ := now.OpenView(ana)
				return !slices.Contains(offered(t, v), "v1") && strings.Contains(string(v.Blocks), "Can't be chosen")
			})
			b.inbox.settle(t, 2)
			refused := b.runner.refused()
			if len(refused) != 1 || refused[0].By != ana || refused[0].App != "shop" || !strings.Contains(refused[0].Why, c.want) {
				t.Errorf("journalled %+v, want the refusal", refused)
			}
			if len(b.runner.asked()) != 0 {
				t.Error("it was asked for all the same")
			}
		})
	}
}

// The Handler accepted it, and by the time the desk has it the release is quarantined.
func TestForm_AcceptedAndThenQuarantined(t *testing.T) {
	b := build(t)
	b.runner.history = history()
	b.opens()
	b.start()
	view := b.opened(ana)
	b.runner.mu.Lock()
	b.runner.onHistory = func() { b.know(runbook.Quarantined{Images: []runbook.Image{image("1")}}) }
	b.runner.mu.Unlock()
	if ack := b.submit(ana, view, map[string]any{"release": "v1"}); len(ack.Errors) > 0 {
		t.Fatalf("errors %q, want it taken", ack.Errors)
	}
	b.told(ana, "quarantined by rollback rb-new")
	b.inbox.settle(t, 2)
	if got := b.runner.refused(); len(got) != 1 || len(b.runner.asked()) != 0 {
		t.Errorf("journalled %+v, asked %+v; want one refusal and nothing asked", got, b.runner.asked())
	}
}

func TestForm_TwoPeopleAtOnce(t *testing.T) {
	b := build(t)
	b.runner.history = history()
	open := make(chan runbook.Rollback, 1)
	b.runner.onRequest = func(_ context.Context, r runbook.Request, _ string) (runbook.Rollback, error) {
		rb := rollback("rb-one", r)
		select {
		case open <- rb:
			return rb, nil
		default:
			first := <-open
			open <- first
			return runbook.Rollback{}, &runbook.BusyError{Rollback: first}
		}
	}
	b.start()
	mine, theirs := b.opened(ana), b.opened(kim)
	b.submit(ana, mine, map[string]any{"reason": "first"})
	b.submit(kim, theirs, map[string]any{"reason": "second"})
	b.told(ana, "rb-one")
	b.told(kim, "rb-one")
	b.inbox.settle(t, 4)
	first := <-open
	if got := b.runner.refused(); len(got) != 1 || got[0].By == first.Request.By {
		t.Errorf("refusals %+v, want one, of who came second to %s", got, first.Request.By)
	}
}

// Every field wrong in turn, as no client of Slack's would send it.
func TestForm_EveryFieldWrong(t *testing.T) {
	b := build(t, "shop", "blog")
	b.runner.history = history()
	b.opens()
	b.start()
	view := b.opened(ana)
	if _, err := b.slack.ClickView(t.Context(), ana, view.ID, "app", "shop"); err != nil {
		t.Fatal(err)
	}
	b.wait("the releases", func(now *localslack.Snapshot) bool {
		view, _ = now.OpenView(ana)
		return len(offered(t, view)) == 5
	})
	option := func(value string) map[string]any { return map[string]any{"value": value} }
	for _, c := range []struct {
		field, at string
		value     any
		want      string
	}{
		{"app", "app", map[string]any{"selected_option": option("moon")}, "no app"},
		{"release", "release", map[string]any{"selected_option": option("v9\u202e")}, "v9"},
		{"other", "other", "ghcr.io/acme/shop/api:latest", "a tag can be moved"},
		{"criteria", "criteria", map[string]any{"selected_options": []any{option("boredom")}}, "none of the runbook's"},
		{"migration", "migration", map[string]any{"selected_option": option("maybe")}, "none, yes or unknown"},
		{"owner", "owner", map[string]any{"selected_user": "nobody"}, "choose a person"},
	} {
		fields := map[string]any{"app": "shop", "release": "previous", "other": nil, "criteria": nil, "reason": "x", "migration": "none", "owner": kim}
		fields[c.field] = c.value
		ack := b.submit(ana, view, fields)
		if len(ack.Errors) != 1 || !strings.Contains(ack.Errors[c.at], c.want) {
			t.Errorf("%s: errors %q, want one at %s with %q", c.field, ack.Errors, c.at, c.want)
		}
	}
	ack := b.submit(ana, view, map[string]any{
		"app": "shop", "release": "v1", "other": "v2", "migration": "none", "owner": kim,
	})
	if !strings.Contains(ack.Errors["other"], "chosen above") {
		t.Errorf("two releases: errors %q", ack.Errors)
	}
	if len(b.runner.asked()) != 0 {
		t.Errorf("asked for %+v", b.runner.asked())
	}
}

// A form that can't be filled is sent as it is.
func TestForm_NotFilledStillWorks(t *testing.T) {
	b := build(t)
	b.runner.history = history()
	b.opens()
	failed := make(chan struct{}, 1)
	b.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "views.update" {
			select {
			case failed <- struct{}{}:
			default:
			}
			return &localslack.Fault{Status: 500}
		}
		return nil
	})
	b.start()
	b.command(ana, "/rollback")
	b.wait("the form", func(now *localslack.Snapshot) bool { _, ok := now.OpenView(ana); return ok })
	<-failed
	view, _ := b.slack.OpenView(ana)
	b.submit(ana, view, map[string]any{"release": "v1"})
	b.told(ana, "rb-one")
	if r := b.runner.asked()[0]; r.Release != "v1" {
		t.Errorf("asked for %+v, want v1", r)
	}
}
