package localslack_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/slack-go/slack"

	"rollbackbot/internal/localslack"
)

const focused = `document.activeElement.dataset.testid + " " + (document.activeElement.dataset.user || document.activeElement.dataset.actionId || document.activeElement.dataset.button || "")`

// Everything can be done by keys alone: becoming somebody, sending, a form, the panel. The focus is always somewhere, and
// one sees where.
func TestPage_Keyboard(t *testing.T) {
	ws := workspace()
	ws.Channels[0].Members = append(ws.Channels[0].Members, mallory)
	s := startWith(t, ws, localslack.WithPeople(localslack.Person{User: ana}, localslack.Person{User: lena}))
	app(t, s, (&fakeBot{t}).handle)
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(s.PageURL()), saying(hook("status"), "is connected"))
	wantFocus := func(what, want string) {
		t.Helper()
		if got := js[string](t, ctx, focused); got != want {
			t.Errorf("%s: the focus is on %q, want %q", what, got, want)
		}
	}

	var order []string
	js[bool](t, ctx, "document.activeElement.blur(), true")
	for range 14 {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		order = append(order, js[string](t, ctx, focused))
		if seen := js[string](t, ctx, `getComputedStyle(document.activeElement.closest(".composer-row") || document.activeElement)[document.activeElement.closest(".composer-row") ? "boxShadow" : "outlineStyle"]`); seen == "none" && order[len(order)-1] != "undefined " {
			t.Errorf("one doesn't see the focus on %s", order[len(order)-1])
		}
	}
	at := 0
	for _, want := range []string{"person " + ana, "person " + lena, "window " + lena, "channel ", "app ", "composer ", "send "} {
		i := slices.Index(order[at:], want)
		if i < 0 {
			t.Fatalf("Tab goes through %q, want %q after the %d first", order, want, at)
		}
		at += i + 1
	}

	// Becoming somebody keeps the focus on them.
	do(t, ctx, chromedp.Focus(hook("person", "user", lena)), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(hook("person", "user", lena)+`[aria-pressed="true"]`))
	wantFocus("after becoming Lena", "person "+lena)

	// A form takes the focus in, Enter sends it, Escape closes it, and the focus goes back.
	do(t, ctx, chromedp.SendKeys(hook("composer"), "/rollback"+kb.Enter), chromedp.WaitVisible(hook("modal")))
	if !js[bool](t, ctx, `document.querySelector("[data-testid=modal]").contains(document.activeElement)`) {
		t.Error("the focus isn't in the form")
	}
	for range 30 {
		do(t, ctx, chromedp.KeyEvent(kb.Tab))
		if js[bool](t, ctx, `document.activeElement !== document.body && !document.activeElement.closest("dialog")`) {
			t.Fatal("Tab leaves the form for what lies under it")
		}
	}
	do(t, ctx, chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(hook("modal")))
	wantFocus("after Escape", "composer ")
	do(t, ctx, chromedp.KeyEvent("still typing"))
	if got := js[string](t, ctx, `document.querySelector("[data-testid=composer]").value`); got != "still typing" {
		t.Errorf("the box has %q", got)
	}
}

// What changes while somebody works by keys leaves the focus where it was.
func TestPage_FocusSurvivesUpdates(t *testing.T) {
	s := start(t)
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(s.PageURL()), saying(hook("status"), "is not connected"))
	api := client(s)
	ts := post(t, api, team, text("x"), buttons())
	action := hook("action", "action-id", "approve")
	do(t, ctx, chromedp.WaitVisible(action), chromedp.Focus(action))
	if _, _, _, err := api.UpdateMessage(team, ts, text("changed"), renewed()); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, saying(hook("message", "ts", ts), "12 s"))
	if got := js[string](t, ctx, focused); got != "action approve" {
		t.Errorf("the focus is on %q, want the button that it was on", got)
	}
}

// renewed is buttons with a line that they didn't have.
func renewed() slack.MsgOption {
	approve := slack.NewButtonBlockElement("approve", "rb-1", plainText("Approve"))
	return slack.MsgOptionBlocks(slack.NewActionBlock("main", approve), slack.NewContextBlock("", markdown("12 s")))
}

// The panel tells who made it what was pressed; while it is busy nothing can be.
func TestPage_Panel(t *testing.T) {
	var mu sync.Mutex
	var pressed []string
	s := start(t, localslack.WithPressed(func(button string) {
		mu.Lock()
		defer mu.Unlock()
		pressed = append(pressed, button)
	}))
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(s.PageURL()), saying(hook("status"), "is not connected"), chromedp.WaitNotVisible(hook("panel-open")))
	panel := localslack.Panel{Title: "More", Text: "Things to do.", Items: []localslack.PanelItem{
		{ID: "one", Title: "One", Text: "It rains.", Steps: []string{"Take a coat."}, Current: true, Buttons: []localslack.PanelButton{{ID: "stop", Label: "Stop the rain"}}},
		{ID: "two", Title: "<b>Two</b>", Text: "It snows.", Steps: []string{"hidden"}},
	}}
	s.SetPanel(panel)
	stop := hook("panel-button", "button", "stop")
	do(t, ctx, saying(hook("panel-item", "item", "one"), "Take a coat."), saying(hook("panel-item", "item", "two"), "<b>Two</b>"), saying(".empty", "Take a coat."),
		chromedp.Click(stop))
	if js[bool](t, ctx, `document.querySelector("[data-testid=panel]").textContent.includes("hidden")`) {
		t.Error("it shows the steps of what isn't going on")
	}
	await(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(pressed) == 1 && pressed[0] == "stop" })
	panel.Busy, panel.Now = true, "The rain stops."
	s.SetPanel(panel)
	do(t, ctx, saying(hook("panel-now"), "The rain stops."), chromedp.Click(stop))
	if got := js[string](t, ctx, focused); got != "panel-button stop" {
		t.Errorf("the focus is on %q, want the button", got)
	}
	if err := s.Press("stop"); err == nil {
		t.Error("a busy panel was pressed")
	}
	if err := s.Press("nothing"); err == nil {
		t.Error("a button was pressed that isn't there")
	}
	panel.Busy = false
	s.SetPanel(panel)
	do(t, ctx, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile), chromedp.WaitNotVisible(hook("panel")), chromedp.Click(hook("panel-open")),
		chromedp.WaitVisible(stop), chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible(hook("panel")))
	if got := js[string](t, ctx, focused); got != "panel-open " {
		t.Errorf("after Escape the focus is on %q, want what opened the panel", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(pressed) != 1 {
		t.Errorf("pressed %q, want one", pressed)
	}
}

// await waits until ok, which another goroutine makes true.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it didn't come about")
		}
	}
}
