package main

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// A scenario is started from the panel, the bot's process is killed from there, and the world is put back, by keys and
// clicks, on a laptop and on a phone.
func TestDemo_ScenarioInTheBrowser(t *testing.T) {
	t.Parallel()
	for _, window := range windows {
		t.Run(window.name, func(t *testing.T) {
			t.Parallel()
			chromium, binary := parts.Chromium(t), realhost.Build(t, "rollbackbot/cmd/rollbackbot")
			demo := startDemoProgram(t, binary)
			p := openPage(t, chromium, "scenario-"+window.name)
			p.do(chromedp.EmulateViewport(window.width, window.height, window.options...), chromedp.Navigate(demo.page), p.says(testid("status"), "is connected"))
			killed := testid("panel-item", "item", "killed")
			p.openPanel()
			p.picture("panel")
			p.do(chromedp.Click(testid("panel-button", "button", pressStart+"killed")), p.says(testid("panel-now"), "Setting the scene"))
			p.picture("setting")
			p.do(p.says(killed, "Kill the bot now"), chromedp.WaitNotVisible(testid("panel-now")))

			p.say("/rollback shop because checkout answers 503")
			p.do(p.says(testid("message"), "Waiting until"))
			p.become("U0LENA")
			p.do(chromedp.Click(testid("action", "action-id", "signoff_in_place")), chromedp.Click(testid("confirm-yes")), p.says(testid("message"), "▓"))
			p.openPanel()
			p.do(chromedp.Click(testid("panel-button", "button", pressDo+"killed")), p.says(testid("panel-now"), "was ended with SIGKILL"))
			p.picture("killed")
			p.do(p.says(testid("panel-now"), "has read the journal and goes on"), p.says(testid("message"), "an answer in the thread"))
			p.picture("goes-on")
			p.become("U0ANA")
			p.openThread()
			p.do(chromedp.Click(testid("action", "action-id", "error_rate_baseline")), p.says(testid("thread"), "Answered: "),
				chromedp.Click(testid("close-thread")), p.says(testid("message"), "Rollback of shop: Rolled back"))
			if n := p.count("article", "Rollback of shop: Rolled back"); n != 1 {
				t.Errorf("%d records, want 1", n)
			}
			p.openPanel()
			p.do(chromedp.Focus(testid("panel-button", "button", pressStart+"killed")), chromedp.KeyEvent(kb.Enter),
				p.says(testid("panel-now"), "Setting the scene"), chromedp.WaitNotVisible(testid("panel-now")))
			if n := p.count("#messages article", ""); n != 0 {
				t.Errorf("%d messages after it was started again, want none", n)
			}
			if over := p.number("document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("the page is %v px wider than the window", over)
			}
			demo.stop()
		})
	}
}

// openPanel opens the panel where it isn't open: in a large window it is from the beginning.
func (p *page) openPanel() {
	p.t.Helper()
	p.evaluate(`if (document.querySelector('[data-testid="panel"]').hidden) document.querySelector('[data-testid="panel-open"]').click()`)
	p.do(chromedp.WaitVisible(testid("panel")))
}
