package main

import "github.com/chromedp/chromedp"

// lookAtHome opens the bot's Home tab after the rollback, and the form by its button.
func lookAtHome(p *page) {
	p.evaluate(`document.querySelector('[data-testid="app"]').click()`) // on a phone it is in the menu
	home := testid("home-tab")
	p.do(p.says(home, "The bot is listening"), p.says(home, "shop: v1 is healthy"), p.says(home, "Quarantined, not to be deployed again"),
		p.says(home, "Last rollback: "), p.says(home, "Rolled back"))
	p.picture("home")
	p.do(chromedp.Click(testid("action", "action-id", "home_plan")), chromedp.WaitVisible(testid("modal", "callback-id", "rollback_form")),
		p.says(testid("modal"), "shop runs v1"))
	p.picture("home-form")
	p.do(chromedp.Click(testid("modal-cancel")), chromedp.WaitNotPresent(testid("modal")))
	if over := p.number("document.documentElement.scrollWidth - innerWidth"); over > 0 {
		p.t.Errorf("the Home tab is %v px too wide for the window", over)
	}
}
