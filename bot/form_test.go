package bot_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// opened types the command alone and gives the form that comes.
func (b *bench) opened(person string) localslack.View {
	b.Helper()
	b.command(person, "/rollback")
	b.wait("the form", func(now *localslack.Snapshot) bool { _, ok := now.OpenView(person); return ok })
	b.wait("the form to be filled", func(now *localslack.Snapshot) bool {
		view, _ := now.OpenView(person)
		return !strings.Contains(string(view.Blocks), "Looking up the releases")
	})
	view, _ := b.slack.OpenView(person)
	return view
}

// fill gives values by field as the page gives them.
func fill(fields map[string]any) map[string]map[string]any {
	values := map[string]map[string]any{}
	for field, value := range fields {
		values[field] = map[string]any{field: value}
	}
	return values
}

// fields are the IDs of a view's blocks, each of which must be its element's too.
func fields(t *testing.T, v localslack.View) []string {
	t.Helper()
	var blocks []struct {
		Type    string `json:"type"`
		ID      string `json:"block_id"`
		Element struct {
			Action string `json:"action_id"`
		} `json:"element"`
	}
	if err := json.Unmarshal(v.Blocks, &blocks); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, b := range blocks {
		if b.Type != "input" {
			continue
		}
		if b.ID != b.Element.Action {
			t.Errorf("block %q has the action %q", b.ID, b.Element.Action)
		}
		ids = append(ids, b.ID)
	}
	return ids
}

func image(digit string) runbook.Image {
	return runbook.Image{Name: "ghcr.io/acme/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat(digit, 64))}
}

// history knows the versions v1 (known-good), v2 (seen), v3 (quarantined), and two releases called twin.
func history() []runbook.Event {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	images := func(digit string) map[string]runbook.Image { return map[string]runbook.Image{"api": image(digit)} }
	note := func(version, digit string) runbook.Event {
		at = at.Add(time.Hour)
		return runbook.Event{App: "shop", At: at, Fact: runbook.Deployed{Images: images(digit), Version: version, Migration: runbook.MigrationNone}}
	}
	return []runbook.Event{
		note("v1", "1"), {App: "shop", At: at, Fact: runbook.Verified{Images: images("1")}},
		note("v2", "2"), note("v3", "3"), note("twin", "4"), note("twin", "5"),
		{App: "shop", Rollback: "rb-old", At: at, Fact: runbook.Quarantined{Images: []runbook.Image{image("3")}}},
	}
}

func TestForm_AsksLikeTheLine(t *testing.T) {
	b := build(t, "shop", "blog")
	b.runner.history = history()
	b.opens()
	b.start()
	view := b.opened(ana)
	if view.CallbackID != "rollback_form" {
		t.Errorf("callback_id = %q", view.CallbackID)
	}
	if got, want := fields(t, view), []string{"app", "release", "criteria", "reason", "migration", "owner"}; !slices.Equal(got, want) {
		t.Errorf("fields = %q, want %q", got, want)
	}
	ack, err := b.slack.Submit(t.Context(), ana, view.ID, fill(map[string]any{
		"app": "blog", "release": "sha256:1111111111111", "reason": "  <!channel> is *down*\nsince noon ", "migration": "yes", "owner": kim,
	}))
	if err != nil || len(ack.Errors) != 0 || len(ack.Payload) != 0 {
		t.Fatalf("Submit = %v, errors %v, payload %s; want it to be taken", err, ack.Errors, ack.Payload)
	}
	if _, open := b.slack.OpenView(ana); open {
		t.Error("the form is still open")
	}
	b.told(ana, "Looking at the hosts of blog")
	b.told(ana, "rb-one")
	b.inbox.settle(t, 2)
	asked := b.runner.asked()
	if len(asked) != 1 {
		t.Fatalf("requests = %+v, want one", asked)
	}
	all, _ := b.inbox.all()
	got, want := asked[0], runbook.Request{
		App: "blog", Release: "sha256:1111111111111", Reason: "<!channel> is *down*\nsince noon", Migration: "yes", Owner: kim, By: ana, At: all[1].At,
	}
	if !got.At.Equal(want.At) || got.App != want.App || got.Release != want.Release || got.Reason != want.Reason || got.Migration != want.Migration || got.Owner != want.Owner || got.By != want.By || len(got.Images) != 0 {
		t.Errorf("request = %+v, want %+v", got, want)
	}
	if all[1].Key != view.ID {
		t.Errorf("the submission's key is %q, want the view's ID %q", all[1].Key, view.ID)
	}
}

func TestForm_DefaultsAreThoseOfTheLine(t *testing.T) {
	b := listen(t)
	b.opens()
	view := b.opened(ana)
	if got, want := fields(t, view), []string{"release", "criteria", "reason", "migration", "owner"}; !slices.Equal(got, want) {
		t.Errorf("fields for one app = %q, want %q", got, want)
	}
	if _, err := b.slack.Submit(t.Context(), ana, view.ID, nil); err != nil {
		t.Fatal(err)
	}
	b.told(ana, "rb-one")
	r := b.runner.asked()[0]
	if r.App != "shop" || r.Release != runbook.Previous || r.Migration != "unknown" || r.Owner != ana || r.By != ana || r.Reason != runbook.NotGiven {
		t.Errorf("request = %+v, want the defaults", r)
	}
}

func TestForm_OffersTheReleasesOfTheOnlyApp(t *testing.T) {
	b := build(t)
	b.runner.history = history()
	b.opens()
	b.start()
	view := b.opened(ana)
	values := offered(t, view)
	twin := func(digit string) string {
		return runbook.ReleaseID(map[string]runbook.Image{"api": image(digit)})
	}
	want := []string{runbook.Previous, "v1", twin("5"), twin("4"), "v2"} // not the quarantined v3, and no name that means two
	if !slices.Equal(values, want) {
		t.Errorf("options = %q, want %q", values, want)
	}
	if _, err := b.slack.Submit(t.Context(), ana, view.ID, fill(map[string]any{"release": "v1"})); err != nil {
		t.Fatal(err)
	}
	b.told(ana, "rb-one")
	if r := b.runner.asked()[0]; r.Release != "v1" {
		t.Errorf("request = %+v, want v1", r)
	}
}

func TestForm_WhatIsWrongStandsUnderItsField(t *testing.T) {
	b := build(t, "shop", "blog")
	b.runner.history = history()
	b.opens()
	b.start()
	view := b.opened(ana)
	submit := func(values map[string]any) localslack.Ack {
		t.Helper()
		all := map[string]any{"app": "shop"}
		maps.Copy(all, values)
		ack, err := b.slack.Submit(t.Context(), ana, view.ID, fill(all))
		if err != nil {
			t.Fatal(err)
		}
		return ack
	}
	for release, want := range map[string]string{
		"api=ghcr.io/acme/shop/api:latest": "tag",
		"sha256:12":                        "12",
		"v9":                               "v9",
		"twin":                             "more than one",
		"v3":                               "quarantined",
		"v1 because I say so":              "alone",
		"db=ghcr.io/acme/shop/api@sha256:" + strings.Repeat("1", 64): "api",
	} {
		ack := submit(map[string]any{"release": release})
		if len(ack.Errors) != 1 || !strings.Contains(ack.Errors["release"], want) {
			t.Errorf("%q: errors %q, want one for release with %q", release, ack.Errors, want)
		}
		if now, open := b.slack.OpenView(ana); !open || now.ID != view.ID {
			t.Fatalf("%q: the form was closed", release)
		}
	}
	all, _ := b.inbox.all()
	if slices.ContainsFunc(all, func(d runbook.Delivery) bool { return d.Kind == "submission" }) {
		t.Error("a form with errors was accepted")
	}
	b.inbox.settle(t, len(all))
	if got := len(b.runner.refused()); got != 7 {
		t.Errorf("%d refusals are journalled, want all 7", got)
	}
	if ack := submit(map[string]any{"release": "api=" + image("1").String()}); len(ack.Errors) != 0 {
		t.Fatalf("put right, the form still has errors: %q", ack.Errors)
	}
	b.told(ana, "rb-one")
	if r := b.runner.asked(); len(r) != 1 || r[0].Images["api"] != image("1") || r[0].Release != "" {
		t.Errorf("requests = %+v, want one with the image", r)
	}
}

func TestForm_SentTwiceCountsOnce(t *testing.T) {
	b := listen(t)
	b.opens()
	view := b.opened(ana)
	if _, err := b.slack.Submit(t.Context(), ana, view.ID, nil); err != nil {
		t.Fatal(err)
	}
	b.told(ana, "rb-one")
	if _, err := b.slack.Redeliver(t.Context()); err != nil {
		t.Fatalf("the second delivery was not acknowledged: %v", err)
	}
	b.inbox.settle(t, 2)
	if asked := b.runner.asked(); len(asked) != 1 {
		t.Errorf("%d requests, want 1", len(asked))
	}
}

func TestForm_NotStoredStaysOpen(t *testing.T) {
	b := listen(t)
	b.opens()
	view := b.opened(ana)
	b.inbox.fail(context.DeadlineExceeded)
	ack, err := b.slack.Submit(t.Context(), ana, view.ID, nil)
	if err != nil || !strings.Contains(ack.Errors["release"], "NOT accepted") {
		t.Fatalf("Submit = %v, errors %q; want that it was not accepted", err, ack.Errors)
	}
	b.inbox.fail(nil)
	if ack, err := b.slack.Submit(t.Context(), ana, view.ID, nil); err != nil || len(ack.Errors) != 0 {
		t.Fatalf("sent again: %v, errors %q; want it to be taken", err, ack.Errors)
	}
	b.told(ana, "rb-one")
	// Nothing that the first attempt left behind takes the second one back.
	if len(b.runner.asked()) != 1 {
		t.Errorf("asked for %d times, want once", len(b.runner.asked()))
	}
}

func TestForm_ThatCantBeOpenedSaysHow(t *testing.T) {
	b := listen(t)
	b.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "views.open" {
			return &localslack.Fault{Error: "expired_trigger_id"}
		}
		return nil
	})
	b.command(ana, "/rollback")
	b.told(ana, "could not be opened", "because REASON")
	b.inbox.settle(t, 1)
}

// The form is there, and Slack's answer that says so is lost: nobody says that it could not be opened.
func TestForm_OpenedThoughTheAnswerIsLost(t *testing.T) {
	b := listen(t)
	b.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "views.open" {
			return &localslack.Fault{LoseAnswer: true}
		}
		return nil
	})
	b.command(ana, "/rollback")
	if said := b.told(ana, "Did no form open?", "because REASON"); strings.Contains(said.Text, "could not") {
		t.Errorf("told %q, and the form is open", said.Text)
	}
	if _, open := b.slack.OpenView(ana); !open {
		t.Error("the form is not open")
	}
}

// formNow is when the forms of these tests are filled.
var formNow = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
