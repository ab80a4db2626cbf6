package bot_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

const (
	speakChannel = "C1SPEAK"
	speakPerson  = "U1PERSON"
	speakBot     = "U0BOT"
)

// stage is a Slack with an Announcer on it.
type stage struct {
	*localslack.Server
	t         *testing.T
	announcer *bot.Announcer
	api       *slack.Client
	log       *bytes.Buffer
}

func newStage(t *testing.T, opts ...localslack.Option) *stage {
	t.Helper()
	s := localslack.New(localslack.Workspace{
		BotToken: "xoxb-speaking-secret", AppToken: "xapp-speaking-secret", BotUser: speakBot,
		Users:    []localslack.User{{ID: speakPerson, Name: "person"}},
		Channels: []localslack.Channel{{ID: speakChannel, Name: "speak", Members: []string{speakBot, speakPerson}}, {ID: "C2OTHER", Name: "other", Members: []string{speakPerson}}},
	}, opts...)
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	g := &stage{Server: s, t: t, log: &bytes.Buffer{}, api: bot.NewClient("xoxb-speaking-secret", "xapp-speaking-secret", s.APIURL())}
	g.announcer = bot.NewAnnouncer(g.api, bot.AnnouncerConfig{Channel: speakChannel, Leads: []string{speakPerson}}, zerolog.New(g.log))
	return g
}

func spokenRollback(t *testing.T, id string) runbook.Rollback {
	t.Helper()
	image := runbook.Image{Name: "ghcr.io/acme/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat("1", 64))}
	before := runbook.Image{Name: "ghcr.io/acme/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat("2", 64))}
	plan := runbook.Plan{App: "shop", Target: runbook.Release{ID: "r-1", Version: "v1", Images: map[string]runbook.Image{"api": image}}, Hosts: []runbook.HostPlan{{
		Host: "deploy@one", EnvFile: "/opt/shop/.env", Services: []runbook.ServicePlan{{Service: "api", Variable: "API_IMAGE", From: before, To: image}},
		Commands: runbook.Commands{Up: runbook.Command{Args: []string{"docker", "compose", "up"}}, Prove: runbook.Command{Args: []string{"docker", "compose", "config"}}},
	}}}
	rb, err := runbook.Fold([]runbook.Event{
		{App: "shop", Rollback: id, Seq: 1, At: time.Now(), Fact: runbook.Requested{
			Request:  runbook.Request{App: "shop", Reason: "<!channel> *500*", By: speakPerson, Owner: speakPerson, At: time.Now()},
			Plan:     plan,
			Question: runbook.Question{ID: 1, Kind: runbook.AskSignoff, Plan: plan.Hash(), Text: "no proof", Answers: []runbook.Answer{runbook.SignoffInPlace, runbook.SignoffReject}, Deadline: time.Now().Add(time.Hour)},
		}},
		{App: "shop", Rollback: id, Seq: 2, At: time.Now(), Fact: runbook.Answered{Question: 1, Answer: runbook.SignoffReject, By: speakPerson, Plan: plan.Hash()}},
		{App: "shop", Rollback: id, Seq: 3, At: time.Now(), Fact: runbook.Asked{Question: runbook.Question{ID: 2, Kind: runbook.AskErrorRate, Plan: plan.Hash(), Text: "look", Answers: []runbook.Answer{runbook.ErrorRateBaseline, runbook.ErrorRateElevated}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return rb
}

func noticesOf(rb runbook.Rollback, thread runbook.Post) []runbook.Notice {
	return []runbook.Notice{
		{Key: "request", Kind: runbook.NoticeRequest, Rollback: rb},
		{Key: "plan-1", Kind: runbook.NoticePlan, Rollback: rb, Thread: thread},
		{Key: "question-2", Kind: runbook.NoticeQuestion, Question: 2, Rollback: rb, Thread: thread},
		{Key: "record", Kind: runbook.NoticeRecord, Rollback: rb},
	}
}

func TestAnnouncer_PostsFindsAndUpdates(t *testing.T) {
	g := newStage(t)
	started := time.Now()
	other, rb := spokenRollback(t, "rb-other"), spokenRollback(t, "rb-mine")
	thread := g.post(noticesOf(other, runbook.Post{})[0])
	for _, n := range noticesOf(other, thread)[1:] {
		g.post(n)
	}
	for _, n := range noticesOf(rb, thread) {
		if _, found, err := g.announcer.Find(t.Context(), n, started); found || err != nil {
			t.Fatalf("Find %s before it was posted = %v, %v; want no", n.Key, found, err)
		}
		at := g.post(n)
		if got, found, err := g.announcer.Find(t.Context(), n, started); err != nil || !found || got != at {
			t.Errorf("Find %s = %v, %v, %v; want %v", n.Key, got, found, err, at)
		}
		if err := g.announcer.Update(t.Context(), at, n); err != nil {
			t.Errorf("Update %s: %v", n.Key, err)
		}
		m, _ := g.Snapshot().Message(at.Channel, at.TS)
		if !m.Edited || m.Metadata == nil || len(m.Blocks) == 0 || (m.ThreadTS != "") != (n.Thread.TS != "") {
			t.Errorf("after the update %s is %+v, want it edited, with blocks and metadata, in its place", n.Key, m)
		}
	}
	for _, call := range g.CallsTo("chat.postMessage") {
		if call.Args["unfurl_links"] != "false" || call.Args["unfurl_media"] != "false" {
			t.Errorf("a message lets links unfold: %v", call.Args)
		}
	}
	var record map[string]any
	last := g.Messages(speakChannel)[3]
	if err := json.Unmarshal(last.Metadata.Payload, &record); err != nil || last.Metadata.EventType != "rollback_record" || record["rollback"] != "rb-mine" {
		t.Errorf("the record's metadata is %+v, %v", last.Metadata, err)
	}
}

func (g *stage) post(n runbook.Notice) runbook.Post {
	g.t.Helper()
	at, err := g.announcer.Post(g.t.Context(), n)
	if err != nil {
		g.t.Fatalf("post %s: %v", n.Key, err)
	}
	return at
}

func TestAnnouncer_AdoptsWhatSlackTookBeforeItsAnswerWasLost(t *testing.T) {
	g := newStage(t)
	started := time.Now()
	rb := spokenRollback(t, "rb-mine")
	var lost atomic.Int32
	g.Fault(func(call localslack.Call) *localslack.Fault {
		if call.Method == "chat.postMessage" && lost.Add(1) == 1 {
			return &localslack.Fault{LoseAnswer: true}
		}
		return nil
	})
	n := noticesOf(rb, runbook.Post{})[0]
	if at, err := g.announcer.Post(t.Context(), n); err == nil {
		t.Fatalf("Post gave %v although its answer was lost", at)
	}
	at, found, err := g.announcer.Find(t.Context(), n, started)
	if err != nil || !found || at.TS != g.Messages(speakChannel)[0].TS {
		t.Errorf("Find = %v, %v, %v; want the message that was taken", at, found, err)
	}
}

func TestAnnouncer_FindReadsEveryPage(t *testing.T) {
	g := newStage(t)
	n := noticesOf(spokenRollback(t, "rb-mine"), runbook.Post{})[0]
	started := time.Now()
	at := g.post(n)
	for i := range 450 {
		if _, err := g.Say(speakPerson, speakChannel, "", fmt.Sprint("noise ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if got, found, err := g.announcer.Find(t.Context(), n, started); err != nil || !found || got != at {
		t.Errorf("Find = %v, %v, %v; want %v", got, found, err, at)
	}
	if calls := g.CallsTo("conversations.history"); len(calls) != 3 {
		t.Errorf("%d pages were read, want 3", len(calls))
	}
	if _, found, err := g.announcer.Find(t.Context(), n, started.Add(2*time.Minute)); found || err != nil {
		t.Errorf("Find of a later intent = %v, %v; want no", found, err)
	}
}

// Nobody else's message is taken for the bot's, whatever its metadata says.
func TestAnnouncer_FindTakesNobodyElsesMessage(t *testing.T) {
	g := newStage(t)
	n := noticesOf(spokenRollback(t, "rb-mine"), runbook.Post{})[0]
	g.post(n)
	stranger := bot.NewAnnouncer(g.api, bot.AnnouncerConfig{Channel: speakChannel, Self: bot.Identity{Team: "T", User: "U9", Bot: "B9"}}, zerolog.Nop())
	if at, found, err := stranger.Find(t.Context(), n, time.Now()); found || err != nil {
		t.Errorf("another bot's Find = %v, %v, %v; want no", at, found, err)
	}
}

func TestAnnouncer_ErrorsNameTheRemedy(t *testing.T) {
	g := newStage(t)
	n := noticesOf(spokenRollback(t, "rb-mine"), runbook.Post{})[0]
	for code, remedy := range map[string]string{
		"channel_not_found": "ROLLBACK_CHANNEL", "not_in_channel": "/invite", "missing_scope": "manifest", "invalid_auth": "SLACK_BOT_TOKEN",
		"token_revoked": "install the app again", "msg_too_long": "too long", "invalid_blocks": "defect", "is_archived": "unarchive", "made_up": "reference",
	} {
		g.Fault(func(localslack.Call) *localslack.Fault { return &localslack.Fault{Error: code} })
		_, postErr := g.announcer.Post(t.Context(), n)
		_, _, findErr := g.announcer.Find(t.Context(), n, time.Now())
		updateErr := g.announcer.Update(t.Context(), runbook.Post{Channel: speakChannel, TS: "1.000001"}, n)
		for what, err := range map[string]error{"Post": postErr, "Find": findErr, "Update": updateErr} {
			var refused *bot.SlackError
			if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(err.Error(), remedy) {
				t.Errorf("%s after %s gave %v, want a *SlackError with %q in it", what, code, err, remedy)
			}
			if err != nil && strings.Contains(err.Error()+bot.Sentence(err)+g.log.String(), "secret") {
				t.Errorf("%s leaks the token: %v", what, err)
			}
		}
	}
}

func TestAnnouncer_RateLimitSaysWhen(t *testing.T) {
	g := newStage(t)
	g.Fault(func(localslack.Call) *localslack.Fault { return &localslack.Fault{RetryAfter: 7} })
	_, err := g.announcer.Post(t.Context(), noticesOf(spokenRollback(t, "rb-mine"), runbook.Post{})[0])
	var retry *runbook.RetryError
	if !errors.As(err, &retry) || retry.After != 7*time.Second {
		t.Errorf("Post gave %v, want a *runbook.RetryError of 7 s", err)
	}
}

func TestAnnouncer_MessagesThatAreGone(t *testing.T) {
	g := newStage(t)
	started := time.Now()
	notices := noticesOf(spokenRollback(t, "rb-mine"), runbook.Post{})
	at := g.post(notices[0])
	if _, _, err := g.api.DeleteMessage(at.Channel, at.TS); err != nil {
		t.Fatal(err)
	}
	if err := g.announcer.Update(t.Context(), at, notices[0]); err != nil {
		t.Errorf("Update of a message that was deleted: %v, want no error", err)
	}
	inThread := noticesOf(spokenRollback(t, "rb-mine"), at)[2]
	posted := g.post(inThread)
	if m, ok := g.Snapshot().Message(posted.Channel, posted.TS); !ok || m.ThreadTS != "" {
		t.Errorf("a question whose thread is gone is %+v, %v; want it in the channel", m, ok)
	}
	if got, found, err := g.announcer.Find(t.Context(), inThread, started); err != nil || !found || got != posted {
		t.Errorf("Find = %v, %v, %v; want %v", got, found, err, posted)
	}
}

func TestAnnouncer_Permalink(t *testing.T) {
	g := newStage(t)
	at := g.post(noticesOf(spokenRollback(t, "rb-mine"), runbook.Post{})[0])
	address, err := g.announcer.Permalink(t.Context(), at)
	if err != nil || !strings.Contains(address, strings.ReplaceAll(at.TS, ".", "")) {
		t.Errorf("Permalink = %q, %v; want the message's", address, err)
	}
}

func TestAnnouncer_PrivateFindsAWay(t *testing.T) {
	g := newStage(t)
	for _, c := range []struct {
		name string
		to   bot.Reply
	}{
		{"in the channel", bot.Reply{Channel: speakChannel, User: speakPerson}},
		{"response_url is used up", bot.Reply{Channel: speakChannel, User: speakPerson, ResponseURL: g.URL() + "/gone"}},
	} {
		before := len(g.Private(speakPerson))
		if err := g.announcer.Private(t.Context(), c.to, bot.TextMessage("only for you")); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := g.Private(speakPerson); len(got) != before+1 || !strings.Contains(got[before].Text, "only for you") {
			t.Errorf("%s: private messages are %+v", c.name, got)
		}
	}
	if err := g.announcer.Private(t.Context(), bot.Reply{Channel: "C2OTHER", User: speakPerson}, bot.TextMessage("only for you")); err != nil {
		t.Errorf("where the bot isn't: %v", err)
	}
	calls := g.CallsTo("chat.postMessage")
	if len(calls) != 1 || calls[0].Args["channel"] != speakPerson {
		t.Errorf("where the bot isn't, it was said by %+v; want a direct message", calls)
	}
	if err := g.announcer.Private(t.Context(), bot.Reply{}, bot.TextMessage("x")); err == nil {
		t.Error("an answer to nobody was no error")
	}
}
