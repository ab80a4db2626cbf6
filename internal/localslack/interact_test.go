package localslack_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"rollbackbot/internal/localslack"
)

func buttons() slack.MsgOption {
	a := slack.NewButtonBlockElement("approve", "rb-1", slack.NewTextBlockObject("plain_text", "Approve", false, false))
	b := slack.NewButtonBlockElement("pick", "first", slack.NewTextBlockObject("plain_text", "First", false, false))
	c := slack.NewButtonBlockElement("pick", "second", slack.NewTextBlockObject("plain_text", "Second", false, false))
	return slack.MsgOptionBlocks(slack.NewActionBlock("main", a), slack.NewActionBlock("one", b), slack.NewActionBlock("two", c))
}

// payloads are an app that acknowledges everything and hands the payloads out.
func payloads(t *testing.T, s *localslack.Server) (*slack.Client, chan map[string]any) {
	t.Helper()
	got := make(chan map[string]any, 100)
	api := app(t, s, func(_ *slack.Client, sock *socketmode.Client, e socketmode.Event) {
		var p map[string]any
		_ = json.Unmarshal(e.Request.Payload, &p)
		_ = sock.Ack(*e.Request)
		got <- p
	})
	return api, got
}

// at walks into a decoded payload.
func at(value any, path ...string) any {
	for _, step := range path {
		switch x := value.(type) {
		case map[string]any:
			value = x[step]
		case []any:
			value = x[0]
		default:
			return nil
		}
	}
	return value
}

// TestPayloads_Keys compares the payloads' keys with those of the samples that Slack publishes with its Java SDK
// (slackapi/java-slack-sdk, json-logs/samples/app-backend); of a sample's keys only those of other installations are left out.
func TestPayloads_Keys(t *testing.T) {
	s := start(t)
	api, got := payloads(t, s)
	must[localslack.Ack](t)(s.Command(t.Context(), ana, team, "/rollback shop"))
	cmd := <-got
	has(t, "slash command", cmd, "token", "api_app_id", "team_id", "team_domain", "channel_id", "channel_name", "user_id",
		"user_name", "command", "text", "response_url", "trigger_id", "is_enterprise_install")
	if cmd["is_enterprise_install"] != "false" {
		t.Errorf("is_enterprise_install = %v, want the string that Slack sends", cmd["is_enterprise_install"])
	}
	top := post(t, api, team, text("top"))
	meta := slack.SlackMetadata{EventType: "e", EventPayload: map[string]any{"k": "v"}}
	ts := post(t, api, team, text("in a thread"), buttons(), slack.MsgOptionTS(top), slack.MsgOptionMetadata(meta))
	must[localslack.Ack](t)(s.Click(t.Context(), lena, team, ts, "approve"))
	click := <-got
	has(t, "block_actions", click, "type", "enterprise", "team", "user", "api_app_id", "token", "container", "trigger_id",
		"channel", "message", "state", "response_url", "actions", "is_enterprise_install")
	has(t, "user", click["user"], "id", "username", "name", "team_id")
	has(t, "container", click["container"], "type", "message_ts", "channel_id", "is_ephemeral", "thread_ts")
	has(t, "message", click["message"], "type", "team", "user", "text", "blocks", "ts", "thread_ts", "bot_id", "app_id", "metadata")
	has(t, "action", at(click, "actions", ""), "type", "action_id", "block_id", "text", "value", "action_ts")
	if at(click, "actions", "", "value") != "rb-1" || at(click, "user", "id") != lena || at(click, "message", "metadata", "event_payload", "k") != "v" {
		t.Errorf("block_actions = %v", click)
	}
}

func has(t *testing.T, what string, value any, keys ...string) {
	t.Helper()
	o, _ := value.(map[string]any)
	for _, key := range keys {
		if _, ok := o[key]; !ok {
			t.Errorf("%s has no %s: %v", what, key, value)
		}
	}
}

func TestClick_Finds(t *testing.T) {
	s := start(t)
	api, got := payloads(t, s)
	ts := post(t, api, team, text("x"), buttons())
	must[localslack.Ack](t)(s.ClickValue(t.Context(), ana, team, ts, "pick", "second"))
	if p := <-got; at(p, "actions", "", "value") != "second" || at(p, "actions", "", "block_id") != "two" {
		t.Errorf("the button with the value: %v", at(p, "actions"))
	}
	hiddenTS := post(t, api, secret, text("x"), buttons())
	for name, c := range map[string]struct {
		user, channel, ts, action string
		want                      error
	}{
		"a button that isn't there":         {ana, team, ts, "explode", localslack.ErrNoElement},
		"a message that isn't there":        {ana, team, "1.000001", "approve", localslack.ErrNoMessage},
		"a person who isn't there":          {"U99", team, ts, "approve", localslack.ErrNoUser},
		"a private channel, from outside":   {mallory, secret, hiddenTS, "approve", localslack.ErrNoChannel},
		"a public channel, for a guest":     {"U4GUEST", team, ts, "approve", localslack.ErrNoChannel},
		"a message of another conversation": {ana, secret, ts, "approve", localslack.ErrNoMessage},
	} {
		if _, err := s.Click(t.Context(), c.user, c.channel, c.ts, c.action); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := s.Click(t.Context(), mallory, team, ts, "approve"); err != nil {
		t.Errorf("a public channel, by somebody who isn't a member: %v", err)
	}
}

func TestClick_PrivateMessageAndResponseURL(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, localslack.WithNow(func() time.Time { return now }))
	api, got := payloads(t, s)
	ts := must[string](t)(api.PostEphemeral(team, ana, text("only you"), buttons()))
	must[localslack.Ack](t)(s.ClickPrivate(t.Context(), ana, team, ts, "approve"))
	p := <-got
	if at(p, "container", "is_ephemeral") != true || p["message"] != nil {
		t.Errorf("payload of a private message = %v, want no message in it", p)
	}
	if _, err := s.ClickPrivate(t.Context(), lena, team, ts, "approve"); !errors.Is(err, localslack.ErrNoMessage) {
		t.Errorf("somebody else's private message: %v", err)
	}
	url := p["response_url"].(string)
	send := func(msg slack.WebhookMessage) error { return slack.PostWebhookContext(t.Context(), url, &msg) }
	if err := send(slack.WebhookMessage{Text: "replaced", ReplaceOriginal: true}); err != nil {
		t.Fatal(err)
	}
	if list := s.Private(ana); len(list) != 1 || list[0].Text != "replaced" || list[0].Blocks != nil {
		t.Errorf("after replace_original: %+v", list)
	}
	if err := send(slack.WebhookMessage{Text: "beside it"}); err != nil {
		t.Fatal(err)
	}
	if err := send(slack.WebhookMessage{Text: "for all", ResponseType: "in_channel"}); err != nil {
		t.Fatal(err)
	}
	if err := send(slack.WebhookMessage{DeleteOriginal: true}); err != nil {
		t.Fatal(err)
	}
	if list := s.Private(ana); len(list) != 1 || list[0].Text != "beside it" || len(s.Messages(team)) != 1 {
		t.Errorf("after a post, one for all, and delete_original: %+v", list)
	}
	if err := send(slack.WebhookMessage{}); err == nil {
		t.Error("an empty post is taken")
	}
	if err := send(slack.WebhookMessage{Text: "fifth"}); err != nil {
		t.Errorf("the fifth: %v (a refused post doesn't count)", err)
	}
	if err := send(slack.WebhookMessage{Text: "sixth"}); err == nil {
		t.Error("a sixth post is taken")
	}
	must[localslack.Ack](t)(s.Command(t.Context(), ana, team, "/rollback"))
	url = (<-got)["response_url"].(string)
	now = now.Add(31 * time.Minute)
	if err := send(slack.WebhookMessage{Text: "late"}); err == nil {
		t.Error("a post after 31 minutes is taken")
	}
	calls := s.CallsTo("response_url")
	if last := calls[len(calls)-1]; last.Error != "expired_url" || last.Status != http.StatusNotFound {
		t.Errorf("recorded %+v, want expired_url", last)
	}
}

func form(title string) slack.ModalViewRequest {
	plain := func(s string) *slack.TextBlockObject { return slack.NewTextBlockObject("plain_text", s, false, false) }
	option := func(v string) *slack.OptionBlockObject { return slack.NewOptionBlockObject(v, plain("App "+v), nil) }
	reason := slack.NewPlainTextInputBlockElement(nil, "reason")
	reason.MaxLength = 20
	owner := slack.NewOptionsSelectBlockElement("users_select", nil, "owner")
	owner.InitialUser = ana
	reasonBlock := slack.NewInputBlock("reason", plain("Reason"), nil, reason)
	reasonBlock.Optional = true
	return slack.ModalViewRequest{
		Type: "modal", Title: plain(title), Submit: plain("Send"), CallbackID: "rollback_form", PrivateMetadata: "private", NotifyOnClose: true,
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewInputBlock("app", plain("App"), nil, slack.NewOptionsSelectBlockElement("static_select", nil, "app", option("shop"), option("blog"))),
			reasonBlock,
			slack.NewInputBlock("owner", plain("Owner"), nil, owner),
		}},
	}
}

// formApp opens form("Roll back") on a command, and answers a submission with answer.
func formApp(t *testing.T, s *localslack.Server, answer func(slack.InteractionCallback) any) (*slack.Client, chan slack.InteractionCallback) {
	t.Helper()
	got := make(chan slack.InteractionCallback, 10)
	api := app(t, s, func(api *slack.Client, sock *socketmode.Client, e socketmode.Event) {
		switch data := e.Data.(type) {
		case slack.SlashCommand:
			_ = sock.Ack(*e.Request)
			if _, err := api.OpenView(data.TriggerID, form("Roll back")); err != nil && t.Context().Err() == nil { // a test may end before the answer arrives
				t.Errorf("views.open: %v", err)
			}
		case slack.InteractionCallback:
			if reply := answer(data); reply != nil && data.Type == slack.InteractionTypeViewSubmission {
				_ = sock.Ack(*e.Request, reply)
			} else {
				_ = sock.Ack(*e.Request)
			}
			got <- data
		}
	})
	return api, got
}

func openForm(t *testing.T, s *localslack.Server) localslack.View {
	t.Helper()
	must[localslack.Ack](t)(s.Command(t.Context(), ana, team, "/rollback"))
	var v localslack.View
	waitFor(t, s, "the form", func(now *localslack.Snapshot) (ok bool) { v, ok = now.OpenView(ana); return ok })
	return v
}

func TestForm_Submit(t *testing.T) {
	s := start(t)
	_, got := formApp(t, s, func(slack.InteractionCallback) any { return nil })
	v := openForm(t, s)
	if v.Title != "Roll back" || v.CallbackID != "rollback_form" || v.PrivateMetadata != "private" {
		t.Errorf("view = %+v", v)
	}
	var incomplete *localslack.IncompleteError
	if _, err := s.Submit(t.Context(), ana, v.ID, nil); !errors.As(err, &incomplete) || incomplete.Fields["app"] == "" || len(incomplete.Fields) != 1 {
		t.Errorf("an empty form: %v, want the app to be asked for", err)
	}
	values := map[string]map[string]any{"app": {"app": "shop"}, "reason": {"reason": strings.Repeat("x", 21)}}
	if _, err := s.Submit(t.Context(), ana, v.ID, values); !errors.As(err, &incomplete) || incomplete.Fields["reason"] == "" {
		t.Errorf("a reason that is too long: %v", err)
	}
	if _, err := s.Submit(t.Context(), ana, v.ID, map[string]map[string]any{"app": {"app": "moon"}}); err == nil {
		t.Error("an option that isn't there is taken")
	}
	if _, err := s.Submit(t.Context(), lena, v.ID, values); !errors.Is(err, localslack.ErrNoView) {
		t.Errorf("somebody else's form: %v", err)
	}
	values["reason"]["reason"] = "5xx"
	must[localslack.Ack](t)(s.Submit(t.Context(), ana, v.ID, values))
	p := <-got
	state := p.View.State.Values
	if p.Type != slack.InteractionTypeViewSubmission || p.User.ID != ana || p.View.Hash != v.Hash ||
		state["app"]["app"].SelectedOption.Value != "shop" || state["reason"]["reason"].Value != "5xx" || state["owner"]["owner"].SelectedUser != ana {
		t.Errorf("submission = %+v", p)
	}
	if _, open := s.OpenView(ana); open {
		t.Error("the form is still open")
	}
}

func TestForm_ResponseActions(t *testing.T) {
	filled := map[string]map[string]any{"app": {"app": "shop"}}
	for name, c := range map[string]struct {
		answer any
		check  func(t *testing.T, ack localslack.Ack, v localslack.View, open bool)
	}{
		"errors": {slack.NewErrorsViewSubmissionResponse(map[string]string{"app": "locked"}), func(t *testing.T, ack localslack.Ack, v localslack.View, open bool) {
			if !open || v.Errors["app"] != "locked" || ack.Errors["app"] != "locked" {
				t.Errorf("ack %+v, view %+v", ack, v)
			}
		}},
		"errors elsewhere": {slack.NewErrorsViewSubmissionResponse(map[string]string{"moon": "?"}), func(t *testing.T, ack localslack.Ack, _ localslack.View, open bool) {
			if !open || ack.Notice == "" {
				t.Errorf("ack %+v, want Slack's own complaint", ack)
			}
		}},
		"update": {slack.NewUpdateViewSubmissionResponse(new(form("Sure?"))), func(t *testing.T, _ localslack.Ack, v localslack.View, open bool) {
			if !open || v.Title != "Sure?" {
				t.Errorf("view %+v", v)
			}
		}},
		"push": {slack.NewPushViewSubmissionResponse(new(form("On top"))), func(t *testing.T, _ localslack.Ack, v localslack.View, open bool) {
			if !open || v.Title != "On top" {
				t.Errorf("view %+v", v)
			}
		}},
		"clear": {slack.NewClearViewSubmissionResponse(), func(t *testing.T, _ localslack.Ack, _ localslack.View, open bool) {
			if open {
				t.Error("still open")
			}
		}},
		"a view that breaks a limit": {slack.NewUpdateViewSubmissionResponse(new(form(long(25)))), func(t *testing.T, ack localslack.Ack, v localslack.View, open bool) {
			if !open || v.Title != "Roll back" || ack.Notice == "" {
				t.Errorf("ack %+v, view %+v, want Slack's own complaint", ack, v)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			formApp(t, s, func(slack.InteractionCallback) any { return c.answer })
			v := openForm(t, s)
			ack := must[localslack.Ack](t)(s.Submit(t.Context(), ana, v.ID, filled))
			now, open := s.OpenView(ana)
			c.check(t, ack, now, open)
		})
	}
}

func TestForm_StackAndCancel(t *testing.T) {
	s := start(t)
	_, got := formApp(t, s, func(p slack.InteractionCallback) any {
		return slack.NewPushViewSubmissionResponse(new(form("Deeper")))
	})
	v := openForm(t, s)
	filled := map[string]map[string]any{"app": {"app": "shop"}}
	for range 2 {
		must[localslack.Ack](t)(s.Submit(t.Context(), ana, v.ID, filled))
		<-got
		v, _ = s.OpenView(ana)
	}
	if ack := must[localslack.Ack](t)(s.Submit(t.Context(), ana, v.ID, filled)); ack.Notice == "" {
		t.Error("a fourth view is laid on the stack")
	}
	<-got
	for i := range 3 {
		v, open := s.OpenView(ana)
		if !open {
			t.Fatalf("only %d views lay there", i)
		}
		must[localslack.Ack](t)(s.Cancel(t.Context(), ana, v.ID))
		if p := <-got; p.Type != slack.InteractionTypeViewClosed {
			t.Errorf("payload = %v, want view_closed", p.Type)
		}
	}
	if _, open := s.OpenView(ana); open {
		t.Error("a view is left")
	}
}

func TestViews_TriggersAndHashes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, localslack.WithNow(func() time.Time { return now }))
	api, got := payloads(t, s)
	trigger := func() string {
		t.Helper()
		must[localslack.Ack](t)(s.Command(t.Context(), ana, team, "/rollback"))
		return (<-got)["trigger_id"].(string)
	}
	first := trigger()
	opened := must[*slack.ViewResponse](t)(api.OpenView(first, form("One")))
	_, err := api.OpenView(first, form("Two"))
	wantError(t, err, "exchanged_trigger_id")
	_, err = api.OpenView("1.nonsense", form("Two"))
	wantError(t, err, "invalid_trigger_id")
	late := trigger()
	now = now.Add(3*time.Second + time.Millisecond)
	_, err = api.OpenView(late, form("Two"))
	wantError(t, err, "expired_trigger_id")

	updated := must[*slack.ViewResponse](t)(api.UpdateView(form("Three"), "", opened.Hash, opened.ID))
	if v, _ := s.OpenView(ana); v.Title != "Three" || v.ID != opened.ID || updated.Hash == opened.Hash {
		t.Errorf("after the update: %+v", v)
	}
	_, err = api.UpdateView(form("Four"), "", opened.Hash, opened.ID)
	wantError(t, err, "hash_conflict")
	_, err = api.UpdateView(form("Four"), "", "", "V99")
	wantError(t, err, "not_found")

	noSubmit := form("No button")
	noSubmit.Submit = nil
	_, err = api.OpenView(trigger(), noSubmit)
	wantError(t, err, "invalid_arguments")
	tooLong := form("x")
	tooLong.PrivateMetadata = long(3001)
	_, err = api.OpenView(trigger(), tooLong)
	wantError(t, err, "invalid_arguments")
}

func TestHome(t *testing.T) {
	s := start(t)
	api, got := payloads(t, s)
	home := slack.HomeTabViewRequest{Type: "home", Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewActionBlock("b", slack.NewButtonBlockElement("start", "v", slack.NewTextBlockObject("plain_text", "Start", false, false))),
	}}}
	must[*slack.ViewResponse](t)(api.PublishView(ana, home, ""))
	must[localslack.Ack](t)(s.OpenHome(t.Context(), ana))
	if p := <-got; at(p, "event", "type") != "app_home_opened" || at(p, "event", "user") != ana {
		t.Errorf("event = %v", p)
	}
	v, ok := s.Home(ana)
	if !ok {
		t.Fatal("no Home tab")
	}
	must[localslack.Ack](t)(s.ClickView(t.Context(), ana, v.ID, "start", nil))
	if p := <-got; at(p, "container", "type") != "view" || at(p, "view", "type") != "home" || at(p, "actions", "", "value") != "v" {
		t.Errorf("payload = %v", p)
	}
}

func TestChoose_InMessages(t *testing.T) {
	s := start(t)
	api, got := payloads(t, s)
	plain := slack.NewTextBlockObject("plain_text", "x", false, false)
	sel := slack.NewOptionsSelectBlockElement("static_select", nil, "release", slack.NewOptionBlockObject("v1", plain, nil), slack.NewOptionBlockObject("v2", plain, nil))
	menu := slack.NewOverflowBlockElement("menu", slack.NewOptionBlockObject("plan", plain, nil), slack.NewOptionBlockObject("abort", plain, nil))
	ts := post(t, api, team, text("x"), slack.MsgOptionBlocks(slack.NewActionBlock("b", sel, menu)))
	must[localslack.Ack](t)(s.Choose(t.Context(), ana, team, ts, "release", "v2"))
	if p := <-got; at(p, "actions", "", "selected_option", "value") != "v2" || at(p, "state", "values", "b", "release", "selected_option", "value") != "v2" {
		t.Errorf("payload = %v", p)
	}
	must[localslack.Ack](t)(s.Choose(t.Context(), ana, team, ts, "menu", "abort"))
	if p := <-got; at(p, "actions", "", "selected_option", "value") != "abort" || at(p, "state", "values", "b", "menu") != nil {
		t.Errorf("payload = %v", p)
	}
}

func TestTyping(t *testing.T) {
	s := start(t)
	_, got := payloads(t, s)
	for typed, want := range map[string]string{
		"shop owner @ana":                     "shop owner <@U1ANA|ana>",
		"owner @Ana Lima because":             "owner <@U1ANA|ana> because",
		"owner @anabel":                       "owner @anabel",
		"owner <@U1ANA> because":              "owner <@U1ANA> because",
		"owner <@U1ANA|ana>":                  "owner <@U1ANA|ana>",
		"because <!channel> & <b>":            "because &lt;!channel&gt; &amp; &lt;b&gt;",
		"because @channel":                    "because <!channel>",
		"because @leads":                      "because <!subteam^S1LEADS|@leads>",
		"see #team":                           "see <#C1TEAM|team>",
		"see https://example.com/a?b=c d":     "see <https://example.com/a?b=c> d",
		"api=ghcr.io/a/b@ana":                 "api=ghcr.io/a/b@ana",
		"api=ghcr.io/a/b@sha256:0123":         "api=ghcr.io/a/b@sha256:0123",
		"because it — broke “hard”\u00a0here": "because it — broke “hard”\u00a0here",
	} {
		must[localslack.Ack](t)(s.Command(t.Context(), ana, team, "/rollback "+typed))
		if p := <-got; p["text"] != want || p["command"] != "/rollback" {
			t.Errorf("typed %q: the app gets %q, want %q", typed, p["text"], want)
		}
	}
	must[localslack.Ack](t)(s.CommandText(t.Context(), ana, team, "/rollback", "as <!it> is"))
	if p := <-got; p["text"] != "as <!it> is" {
		t.Errorf("CommandText sends %q", p["text"])
	}
}

func TestFaults(t *testing.T) {
	s := start(t)
	api, hasty := client(s), client(s, slack.OptionHTTPClient(&http.Client{Timeout: 100 * time.Millisecond}))
	for name, c := range map[string]struct {
		fault  localslack.Fault
		want   string // part of the error, "" for none
		posted int
	}{
		"429":          {localslack.Fault{RetryAfter: 7}, "retry after 7s", 0},
		"HTTP 500":     {localslack.Fault{Status: 500}, "500", 0},
		"an error":     {localslack.Fault{Error: "not_in_channel"}, "not_in_channel", 0},
		"a reset":      {localslack.Fault{Reset: true}, "", 0},
		"a hang":       {localslack.Fault{Hang: true}, "Client.Timeout", 0},
		"lost answer":  {localslack.Fault{LoseAnswer: true}, "", 1},
		"a slow call":  {localslack.Fault{Delay: time.Millisecond}, "", 1},
		"nothing else": {localslack.Fault{}, "", 1},
	} {
		before := len(s.Messages(team))
		s.Fault(func(call localslack.Call) *localslack.Fault {
			if call.Method != "chat.postMessage" || call.Args["channel"] != team {
				return nil
			}
			return &c.fault
		})
		caller := api
		if c.fault.Hang {
			caller = hasty
		}
		_, _, err := caller.PostMessage(team, text("x"))
		fails := c.want != "" || c.fault.Reset || c.fault.LoseAnswer
		if (err != nil) != fails || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if got := len(s.Messages(team)) - before; got != c.posted {
			t.Errorf("%s: %d messages were posted, want %d", name, got, c.posted)
		}
	}
	s.Fault(nil)
	post(t, api, team, text("x"))
}

func TestSnapshot_StaysAsItWas(t *testing.T) {
	s := start(t)
	api := client(s)
	ts := post(t, api, team, text("one"))
	before := s.Snapshot()
	if _, _, _, err := api.UpdateMessage(team, ts, text("two")); err != nil {
		t.Fatal(err)
	}
	if got := before.Messages(team)[0]; got.Text != "one" || got.Edited {
		t.Errorf("an old snapshot says %+v", got)
	}
	if m, ok := s.Snapshot().Message(team, ts); !ok || m.Text != "two" {
		t.Errorf("a new one says %+v", m)
	}
}

func TestWait_WakesAtChanges(t *testing.T) {
	s := start(t)
	api := client(s)
	seen := make(chan error, 1)
	go func() {
		seen <- s.Wait(t.Context(), func(now *localslack.Snapshot) bool { return len(now.Messages(team)) == 3 })
	}()
	for i := range 3 {
		post(t, api, team, text(fmt.Sprint(i)))
	}
	if err := <-seen; err != nil {
		t.Error(err)
	}
}

// A view as large as Slack takes no more, by either method that takes one.
func TestViews_TooLarge(t *testing.T) {
	s := start(t)
	api, _ := payloads(t, s)
	var blocks []slack.Block
	for range 90 {
		blocks = append(blocks, slack.NewSectionBlock(slack.NewTextBlockObject("plain_text", strings.Repeat("x", 2990), false, false), nil, nil))
	}
	_, err := api.PublishView(ana, slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}, "")
	if err == nil || err.Error() != "view_too_large" {
		t.Errorf("publish 270 kB: %v", err)
	}
	if _, err := api.PublishView(ana, slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks[:80]}}, ""); err != nil {
		t.Errorf("publish 245 kB: %v", err)
	}
}
