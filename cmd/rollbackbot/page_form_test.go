package main

import (
	"fmt"

	"github.com/chromedp/chromedp"
)

// askByForm opens the form, makes a mistake, is told so at the field, and mends it.
func askByForm(p *page) {
	p.say("/rollback")
	form := testid("modal", "callback-id", "rollback_form")
	other := testid("field", "action-id", "other")
	p.do(chromedp.WaitVisible(form), chromedp.WaitVisible(other)) // it is filled
	p.picture("form-open")
	p.do(chromedp.SendKeys(other, "v9"), chromedp.Click(testid("modal-submit")), chromedp.WaitVisible(testid("field-error", "block-id", "other")))
	p.do(p.says(`[aria-invalid="true"]`, ""))
	p.evaluate(`document.querySelector('[data-testid="field-error"]').scrollIntoView({block: "center"})`)
	p.picture("form-error")
	p.empty("other")
	p.do(chromedp.SendKeys(testid("field", "action-id", "reason"), "checkout answers 503"))
	p.picture("form-filled")
	p.do(chromedp.Click(testid("modal-submit")), chromedp.WaitNotPresent(testid("modal")))
}

// empty takes away what stands in a field of the form.
func (p *page) empty(field string) {
	p.t.Helper()
	p.evaluate(fmt.Sprintf(`const e = document.querySelector(%q); e.value = ""; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true}))`,
		string(testid("field", "action-id", field))))
}
