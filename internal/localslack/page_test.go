package localslack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
)

// browser opens a new browser; what its console says about errors fails the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(parts.Chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()),
	))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*patience)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 860)); err != nil { // the browser lives as long as its first context
		t.Fatal(err)
	}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if text := fmt.Sprintf("%+v", m); strings.Contains(strings.ToLower(text), "error") || strings.Contains(text, "Content Security Policy") {
				if t.Context().Err() == nil {
					t.Errorf("the browser's console: %s", text)
				}
			}
		}
	}()
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := chromedp.Do(ctx, step)
		for redrawn(err) && ctx.Err() == nil {
			err = chromedp.Do(ctx, step)
		}
		cancel()
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

// redrawn tells whether the page was drawn again between finding an element and looking at it, in Chromium's words. The
// step has done nothing then, and finds the new element: the page draws whenever anything changes.
func redrawn(err error) bool {
	if err == nil {
		return false
	}
	for _, words := range []string{"Could not find node with given id", "No node with given id found", "Node is detached from document", "Could not compute box model"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// js evaluates an expression in the page.
func js[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// hook is an element by its data attributes: hook("action", "action-id", "approve").
func hook(testid string, pairs ...string) chromedp.CSS {
	sel := fmt.Sprintf("[data-testid=%q]", testid)
	for i := 0; i < len(pairs); i += 2 {
		sel += fmt.Sprintf("[data-%s=%q]", pairs[i], pairs[i+1])
	}
	return chromedp.CSS(sel)
}

// saying waits until an element says something.
func saying(sel chromedp.CSS, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		expression := fmt.Sprintf("[...document.querySelectorAll(%q)].some((e) => e.textContent.includes(%q))", string(sel), text)
		for {
			ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
			if ok {
				return nil
			}
			if ctx.Err() != nil {
				seen, _ := chromedp.Run(context.WithoutCancel(ctx), chromedp.Evaluate[string]("document.body.innerText"))
				return fmt.Errorf("%s doesn't say %q (%v); the page says:\n%s", sel, text, err, seen)
			}
			time.Sleep(20 * time.Millisecond) // the browser has no way to call back across its own redraws
		}
	})
}

// picture saves what the browser shows, if LOCALSLACK_SCREENSHOTS names a folder.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	folder := os.Getenv("LOCALSLACK_SCREENSHOTS")
	if folder == "" {
		return
	}
	png := must[[]byte](t)(chromedp.Run(ctx, chromedp.CaptureScreenshot()))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

func dark(on bool) chromedp.Action[chromedp.Void] {
	scheme := map[bool]string{true: "dark", false: "light"}[on]
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// fakeBot is a rollback bot for the page's test: rich messages, a form, private answers, a thread and a file.
type fakeBot struct {
	t *testing.T
}

func (b *fakeBot) handle(api *slack.Client, sock *socketmode.Client, e socketmode.Event) {
	switch data := e.Data.(type) {
	case slack.SlashCommand:
		_ = sock.Ack(*e.Request)
		if data.Text == "" {
			_, err := api.OpenView(data.TriggerID, form("Roll back"))
			b.check("views.open", err)
			return
		}
		_, _, err := api.PostMessage(data.ChannelID, slack.MsgOptionText("Roll back "+data.Text+"?", false), request(data.UserID, data.Text))
		b.check("chat.postMessage", err)
	case slack.InteractionCallback:
		b.interact(api, sock, e, data)
	default:
		_ = sock.Ack(*e.Request)
		b.publish(api, ana)
	}
}

func (b *fakeBot) interact(api *slack.Client, sock *socketmode.Client, e socketmode.Event, p slack.InteractionCallback) {
	if p.Type == slack.InteractionTypeViewSubmission {
		reason := p.View.State.Values["reason"]["reason"].Value
		if reason == "" {
			_ = sock.Ack(*e.Request, slack.NewErrorsViewSubmissionResponse(map[string]string{"reason": "The record needs a reason."}))
			return
		}
		_ = sock.Ack(*e.Request)
		_, _, err := api.PostMessage(team, slack.MsgOptionText("form: "+slackEscape(reason), false))
		b.check("chat.postMessage", err)
		return
	}
	_ = sock.Ack(*e.Request)
	if len(p.ActionCallback.BlockActions) == 0 {
		return
	}
	if p.User.ID != lena {
		b.check("response_url", slack.PostWebhook(p.ResponseURL, &slack.WebhookMessage{Text: ":no_entry: Only an engineering lead can sign this off. Ask <@" + lena + ">."}))
		return
	}
	_, _, _, err := api.UpdateMessage(p.Channel.ID, p.Message.Timestamp, slack.MsgOptionText("Rolling back", false), progress())
	b.check("chat.update", err)
	const output = "Container shop-api-1  Recreated\nContainer shop-api-1  Started\n"
	_, err = api.UploadFile(slack.UploadFileParameters{
		Content: output, FileSize: len(output), Filename: "up.txt", Title: "Output of docker compose up",
		Channel: p.Channel.ID, ThreadTimestamp: p.Message.Timestamp, InitialComment: "Signed off by <@" + lena + ">: *leave the migration in place*.",
	})
	b.check("upload", err)
}

func (b *fakeBot) publish(api *slack.Client, user string) {
	_, err := api.PublishView(user, slack.HomeTabViewRequest{Type: "home", Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewHeaderBlock(plainText("Your apps")),
		slack.NewSectionBlock(markdown("*shop* runs `v2` since 10:04"), nil, slack.NewAccessory(slack.NewButtonBlockElement("start", "shop", plainText("Roll back…")))),
	}}}, "")
	b.check("views.publish", err)
}

func (b *fakeBot) check(what string, err error) {
	if err != nil && b.t.Context().Err() == nil {
		b.t.Errorf("%s: %v", what, err)
	}
}

func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func plainText(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject("plain_text", s, true, false)
}
func markdown(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject("mrkdwn", s, false, false)
}

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func request(user, what string) slack.MsgOption {
	approve := slack.NewButtonBlockElement("signoff_in_place", "rb-4k2", plainText("Leave the migration in place"))
	approve.Style = "primary"
	approve.Confirm = slack.NewConfirmationBlockObject(plainText("Roll back shop to v1?"), markdown("*3 services* on `deploy@shop-1` go back now."), plainText("Roll back"), plainText("Not yet"))
	reverted := slack.NewButtonBlockElement("signoff_reverted", "rb-4k2", plainText("The schema has been reverted"))
	reject := slack.NewButtonBlockElement("signoff_reject", "rb-4k2", plainText("Do not roll back"))
	reject.Style = "danger"
	text := func(s string, bold bool) slack.RichTextSectionElement {
		return slack.NewRichTextSectionTextElement(s, &slack.RichTextSectionTextStyle{Bold: bold})
	}
	commands := slack.NewRichTextSection(text("docker pull ghcr.io/acme/shop/api@"+digest("a")+"\ndocker compose -f infra/docker-compose.prod.yml up -d --no-deps --pull never api worker web", false))
	return slack.MsgOptionBlocks(
		slack.NewHeaderBlock(plainText(":rewind: Roll back shop to v1?")),
		slack.NewSectionBlock(markdown("<@"+user+"> asks because *error rates spiked* after the deploy of `v2`."), []*slack.TextBlockObject{
			markdown("*Hosts*\n`deploy@shop-1`"), markdown("*Migration*\nyes, `20260301_orders`"),
			markdown("*Owner of the follow-up*\n<@" + ana + ">"), markdown("*Rollback*\n`rb-4k2`"),
		}, nil),
		slack.NewRichTextBlock("", slack.NewRichTextSection(text("What goes back", true)),
			slack.NewRichTextList(slack.RTEListBullet, 0, slack.NewRichTextSection(text("api", true), text(" from v2 to v1", false)),
				slack.NewRichTextSection(text("worker", true), text(" from v2 to v1", false)), slack.NewRichTextSection(text("web", true), text(" stays", false))),
			slack.NewRichTextSection(text("Exactly these commands run:", false)), &slack.RichTextPreformatted{Type: slack.RTEPreformatted, Elements: commands.Elements}),
		slack.NewActionBlock("signoff", approve, reverted, reject),
		slack.NewContextBlock("", markdown(":lock: plan `"+digest("f")[:19]+"…` · "+what+" · expires <!date^1893456000^{date_short_pretty} {time}|later>")),
	)
}

func progress() slack.MsgOption {
	return slack.MsgOptionBlocks(
		slack.NewHeaderBlock(plainText(":rewind: Rolling back shop to v1")),
		slack.NewSectionBlock(markdown(":white_check_mark: images present\n:white_check_mark: pins written and proven\n:hourglass_flowing_sand: *up -d* on `deploy@shop-1`\n:white_circle: health checks"), nil, nil),
		slack.NewContextBlock("", markdown("signed off by <@"+lena+"> · 12 s")),
	)
}

func TestPage(t *testing.T) {
	ws := workspace()
	ws.Users[1].RealName, ws.Users[2].RealName = "Lena Vogt", "Mallory Quist"
	ws.Channels[0].Members = append(ws.Channels[0].Members, mallory)
	ws.TeamName = "Acme"
	s := startWith(t, ws, localslack.WithBanner("Practice mode: waiting times are shortened. Nothing here is real."),
		localslack.WithSuggestions("/rollback shop", "/rollback help"), localslack.WithPeople(
			localslack.Person{User: ana, Role: "on-call"}, localslack.Person{User: lena, Role: "engineering lead"}, localslack.Person{User: mallory, Role: "no rights"}))
	api := app(t, s, (&fakeBot{t}).handle)
	post(t, api, team, text("*shop* `v2` deployed by CI :rocket: <https://ci.example/42|build 42>\n> changelog: <!channel> & more\nsee <#C2SECRET> ~old~ _new_ ```exit 0```"))
	ctx := browser(t)

	do(t, ctx, chromedp.Navigate(s.PageURL()), saying(hook("status"), "is connected"), saying(hook("banner"), "Practice mode"),
		saying(hook("message"), "deployed by CI 🚀 build 42"))
	if got := js[string](t, ctx, "location.search"); strings.Contains(got, "token") {
		t.Errorf("the address bar keeps the token: %s", got)
	}

	// Ana, on call, asks with the suggestion, then types something hostile.
	do(t, ctx, chromedp.Click(hook("suggestion")), chromedp.SendKeys(hook("composer"), kb.Enter), saying(hook("message"), "Exactly these commands run"))
	do(t, ctx, chromedp.SendKeys(hook("composer"), "<img src=x onerror=\"window.hit=1\"> @le"), saying(".completions", "@lena"))
	do(t, ctx, chromedp.SendKeys(hook("composer"), kb.Enter), chromedp.SendKeys(hook("composer"), "look"+kb.Enter), saying(hook("message"), "<img src=x onerror=\"window.hit=1\"> @lena look"))
	if js[bool](t, ctx, "!!window.hit || !!document.querySelector('.message img')") {
		t.Error("typed markup became markup")
	}
	if said := s.Messages(team); !strings.HasSuffix(said[len(said)-1].Text, "<@"+lena+"> look") {
		t.Errorf("the completed name is %q", said[len(said)-1].Text)
	}
	ts := s.Messages(team)[1].TS
	picture(t, ctx, "request")

	// Mallory is refused privately, and only she sees it.
	approve := hook("action", "action-id", "signoff_in_place")
	do(t, ctx, chromedp.Click(hook("person", "user", mallory)), chromedp.WaitVisible(hook("person", "user", mallory)+`[aria-pressed="true"]`),
		chromedp.Click(approve), chromedp.Click(hook("confirm-no")), chromedp.WaitNotPresent(hook("confirm")))
	if n := len(s.Envelopes()); n != 1 {
		t.Errorf("%d envelopes after a click that was not confirmed, want only the command's", n)
	}
	do(t, ctx, chromedp.Click(approve), saying(hook("confirm"), "3 services on deploy@shop-1"))
	picture(t, ctx, "confirm")
	do(t, ctx, chromedp.Click(hook("confirm-yes")), saying(hook("message", "private", "true"), "Only an engineering lead"), saying(hook("message", "private", "true"), "Only visible to you"))
	picture(t, ctx, "refused")
	do(t, ctx, chromedp.Click(hook("dismiss")), chromedp.WaitNotPresent(hook("message", "private", "true")))

	// Lena signs off: the message changes in place, the thread fills.
	do(t, ctx, chromedp.Click(hook("person", "user", lena)), chromedp.WaitVisible(hook("person", "user", lena)+`[aria-pressed="true"]`),
		chromedp.Click(approve), chromedp.Click(hook("confirm-yes")), saying(hook("message", "ts", ts), "pins written and proven"), saying(hook("open-thread", "ts", ts), "1 reply"),
		chromedp.Click(hook("open-thread", "ts", ts)), saying(hook("thread"), "Container shop-api-1  Started"), saying(hook("thread"), "leave the migration in place"))
	do(t, ctx, chromedp.SendKeys(hook("thread-composer"), "thank you"+kb.Enter), saying(hook("thread"), "thank you"))
	do(t, ctx, chromedp.SendKeys(hook("thread-composer"), "/rollback status"+kb.Enter), saying(hook("toast"), "not supported in threads"))
	picture(t, ctx, "thread")
	do(t, ctx, dark(true))
	picture(t, ctx, "thread-dark")
	do(t, ctx, dark(false), chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	picture(t, ctx, "thread-phone")
	do(t, ctx, chromedp.Click(hook("close-thread")), chromedp.WaitNotVisible(hook("thread")))
	picture(t, ctx, "channel-phone")
	if over := js[float64](t, ctx, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		t.Errorf("at 390 px the page is %v px too wide", over)
	}

	// The form, on the phone and then on the desktop.
	do(t, ctx, chromedp.SendKeys(hook("composer"), "/rollback"+kb.Enter), chromedp.WaitVisible(hook("modal", "callback-id", "rollback_form")))
	picture(t, ctx, "form-phone")
	do(t, ctx, chromedp.EmulateViewport(1280, 860), chromedp.Click(hook("modal-submit")), saying(hook("field-error", "block-id", "app"), "required"),
		chromedp.SetValue(hook("field", "action-id", "app"), "shop"))
	js[bool](t, ctx, `document.querySelector('[data-testid=field][data-action-id=app]').dispatchEvent(new Event("change"))`)
	do(t, ctx, chromedp.Click(hook("modal-submit")), saying(hook("field-error", "block-id", "reason"), "The record needs a reason."))
	picture(t, ctx, "form")
	// It is brought up to date while she types: the next key goes where the last one went.
	do(t, ctx, chromedp.SendKeys(hook("field", "action-id", "reason"), "5xx "))
	v, _ := s.OpenView(lena)
	update := form("Roll back, as of now")
	must[*slack.ViewResponse](t)(api.UpdateView(update, "", "", v.ID))
	do(t, ctx, saying(hook("modal"), "Roll back, as of now"), chromedp.KeyEvent("& <slow>"), chromedp.Click(hook("modal-submit")),
		chromedp.WaitNotPresent(hook("modal")), saying(hook("message"), "form: 5xx & <slow>"))

	// Home.
	do(t, ctx, chromedp.Click(hook("person", "user", ana)), chromedp.WaitVisible(hook("person", "user", ana)+`[aria-pressed="true"]`),
		chromedp.Click(hook("app")), saying(hook("home-tab"), "shop runs v2 since 10:04"))
	picture(t, ctx, "home")
	do(t, ctx, chromedp.Click(hook("channel", "channel", team)), chromedp.WaitVisible(hook("composer")))

	// A permalink opens its message.
	link := must[string](t)(api.GetPermalink(&slack.PermalinkParameters{Channel: team, Ts: s.Replies(team, ts)[0].TS}))
	do(t, ctx, chromedp.Navigate(link), saying(hook("thread"), "Container shop-api-1"))

	// Two windows are two people, and the page says when nobody is there to answer.
	do(t, ctx, chromedp.Navigate(s.PageURLAs(lena)), chromedp.WaitVisible(hook("person", "user", lena)+`[aria-pressed="true"]`))
}

// TestPage_NotAcknowledged shows a person what Slack would show them.
func TestPage_NotAcknowledged(t *testing.T) {
	s := start(t, localslack.WithAckTimeout(50*time.Millisecond))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(s.PageURL()), saying(hook("status"), "is not connected"))
	do(t, ctx, chromedp.SendKeys(hook("composer"), "/rollback shop"+kb.Enter), saying(hook("message", "private", "true"), `/rollback failed with the error "dispatch_failed"`))
	post(t, client(s), team, text("x"), buttons())
	do(t, ctx, chromedp.Click(hook("action", "action-id", "approve")), saying(hook("toast"), "didn't respond"))
}

// TestPage_Mrkdwn runs the page's own renderer over markup; the HTML is what the browser made of it.
func TestPage_Mrkdwn(t *testing.T) {
	s := start(t)
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(s.PageURL()), saying(hook("status"), "is not connected"))
	for in, want := range map[string]string{
		"plain":                              "plain",
		"*bold* _it_ ~no~ `code`":            "<strong>bold</strong> <em>it</em> <s>no</s> <code>code</code>",
		"*bold _both_*":                      "<strong>bold <em>both</em></strong>",
		"a*b*c snake_case_name 2*3*4":        "a*b*c snake_case_name 2*3*4",
		"* not bold *":                       "* not bold *",
		"`*not bold*`":                       "<code>*not bold*</code>",
		"```a\n*b*```":                       `<pre class="code">a` + "\n" + `*b*</pre>`,
		"x\n```a```\ny":                      `x<pre class="code">a</pre>y`,
		"&lt;script&gt;alert(1)&lt;/script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
		"<script>":                           "script",
		"<javascript:alert(1)|click>":        "click",
		"<https://a.example/?a=1&amp;b=2|A>": `<a href="https://a.example/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">A</a>`,
		"<@U1ANA> in <#C1TEAM>":              `<span class="mention you">@ana</span> in <span class="mention">#team</span>`,
		"<!subteam^S1LEADS> <!here>":         `<span class="mention">@leads</span> <span class="mention you">@here</span>`,
		"&gt; quoted\nafter":                 "<blockquote>quoted</blockquote>after",
		"one\ntwo":                           "one<br>two",
		":warning: :no_such_thing:":          "⚠️ :no_such_thing:",
		"<!date^x^y|fallback>":               "fallback",
		"*<@U1ANA>*":                         `<strong><span class="mention you">@ana</span></strong>`,
	} {
		quoted, _ := json.Marshal(in)
		got := js[string](t, ctx, `import("/page/static/mrkdwn.js").then(({ mrkdwn }) => {
			const names = { user: (id) => ({ U1ANA: "ana" })[id] || id, channel: () => "team", group: () => "leads", isYou: (id) => id === "U1ANA" };
			const box = document.createElement("div");
			box.append(...mrkdwn(`+string(quoted)+`, names));
			return box.innerHTML;
		})`)
		got = strings.ReplaceAll(got, ` class=""`, "")
		if got != want {
			t.Errorf("%q becomes\n  %s\nwant\n  %s", in, got, want)
		}
	}
}
