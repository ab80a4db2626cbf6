package bot_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/bot"
	"rollbackbot/runbook"
	runbookhistory "rollbackbot/runbook/history"
)

// suggesting is a bot in whose channel a suggestion stands to leave v2 for v1. More is what happened since.
func suggesting(t *testing.T, more ...runbook.Fact) (b *bench, ts string) {
	t.Helper()
	b = listen(t)
	v1, v2 := shopRelease(1), shopRelease(2)
	suggestion := runbook.Suggested{Release: runbook.ReleaseID(v2), Target: runbook.ReleaseID(v1), Evidence: []runbook.Criterion{{Name: runbook.CriterionHealth, Held: runbook.HeldYes, Detail: "v2 has been failing for 6m0s"}}}
	var events []runbook.Event
	for i, fact := range append([]runbook.Fact{runbook.Observed{Images: v1}, runbook.Verified{Images: v1}, runbook.Observed{Images: v2}, suggestion}, more...) {
		events = append(events, runbook.Event{App: "shop", Seq: int64(i + 1), At: time.Now(), Fact: fact})
	}
	b.runner.history = events
	bulletin, _ := runbookhistory.New(events).Suggestion(suggestion.Release)
	announcer := bot.NewAnnouncer(b.api, bot.AnnouncerConfig{Channel: team}, zerolog.Nop())
	bulletin.Withdrawn = "" // the message as it was before that
	notice := runbook.Notice{Key: bulletin.Key, Kind: runbook.NoticeBulletin, Bulletin: bulletin}
	at, err := announcer.Post(t.Context(), notice)
	if err != nil {
		t.Fatal(err)
	}
	if found, there, err := announcer.Find(t.Context(), notice, time.Now()); err != nil || !there || found != at {
		t.Errorf("it is not found again: %v %v %v", found, there, err)
	}
	notice.Key = "suggestion-another"
	if _, there, err := announcer.Find(t.Context(), notice, time.Now()); err != nil || there {
		t.Errorf("another one is found: %v %v", there, err)
	}
	return b, at.TS
}

func shopRelease(version int) map[string]runbook.Image {
	return map[string]runbook.Image{"api": {Name: "ghcr.io/acme/api", Digest: runbook.Digest("sha256:" + strings.Repeat(string(rune('0'+version)), 64))}}
}

func (b *bench) presses(person, ts string) {
	b.Helper()
	if _, err := b.slack.Click(b.Context(), person, team, ts, "request_suggested"); err != nil {
		b.Fatal(err)
	}
}

// Pressing the button asks for what typing the line would, in the name of whoever pressed it.
func TestSuggestion_AsksInThePersonsName(t *testing.T) {
	b, ts := suggesting(t)
	b.runner.onRequest = func(_ context.Context, r runbook.Request, cause string) (runbook.Rollback, error) {
		if cause == "" {
			t.Error("the request has no cause")
		}
		return rollback("rb-one", r), nil
	}
	b.presses(ana, ts)
	b.told(ana, "rb-one")
	asked := b.runner.asked()
	all, _ := b.inbox.all()
	command, err := bot.Parse("shop because the bot suggested it")
	if err != nil {
		t.Fatal(err)
	}
	if want := command.Request(ana, all[0].At); len(asked) != 1 || asked[0].App != want.App || asked[0].Release != want.Release || asked[0].Reason != want.Reason ||
		asked[0].By != ana || asked[0].Owner != ana || asked[0].Migration != want.Migration || !asked[0].At.Equal(want.At) {
		t.Errorf("asked for %+v, want %+v", asked, want)
	}
}

func TestSuggestion_RefusalIsPrivate(t *testing.T) {
	b, ts := suggesting(t)
	b.runner.onRequest = func(context.Context, runbook.Request, string) (runbook.Rollback, error) {
		return runbook.Rollback{}, &runbook.RefusedError{Why: "You can't ask for a rollback."}
	}
	b.presses(kim, ts)
	b.told(kim, "You can't ask for a rollback.")
	b.inbox.settle(t, 1)
	if len(b.slack.Messages(team)) != 1 || len(b.runner.refused()) != 1 {
		t.Errorf("the refusal is not private, or not journalled: %+v", b.runner.refused())
	}
}

func TestSuggestion_ThatDoesNotStandAnyMore(t *testing.T) {
	for _, c := range []struct {
		name string
		fact runbook.Fact
		want string
	}{
		{"another release", runbook.Observed{Images: shopRelease(3)}, "another release runs now"},
		{"healthy again", runbook.HealthChanged{Images: shopRelease(2), Healthy: true}, "the health checks pass again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, ts := suggesting(t, c.fact)
			b.presses(ana, ts)
			b.told(ana, "doesn't stand any more", c.want)
			b.inbox.settle(t, 1)
			if len(b.runner.asked()) != 0 || len(b.runner.refused()) != 1 {
				t.Errorf("asked %+v, refused %+v", b.runner.asked(), b.runner.refused())
			}
		})
	}
}
