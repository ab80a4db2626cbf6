package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// screenshotsVariable names a folder for pictures of what the test sees. The README's picture is one of them.
const screenshotsVariable = "ROLLBACKBOT_SCREENSHOTS"

// The sizes of the windows, in CSS pixels: a laptop's, and the phone that lies beside the bed.
var windows = []struct {
	name          string
	width, height int64
	options       []chromedp.EmulateViewportOption
}{
	{name: "desktop", width: 1280, height: 1040},
	{name: "phone", width: 390, height: 844, options: []chromedp.EmulateViewportOption{chromedp.EmulateMobile}},
}

// The demo as its users meet it: the program's own output says what to open, and everything else is clicks and keys.
func TestDemo_InTheBrowser(t *testing.T) {
	t.Parallel()
	for _, window := range windows {
		t.Run(window.name, func(t *testing.T) {
			t.Parallel()
			chromium, binary := parts.Chromium(t), realhost.Build(t, "rollbackbot/cmd/rollbackbot")
			demo := startDemoProgram(t, binary)
			p := openPage(t, chromium, window.name)
			p.do(chromedp.EmulateViewport(window.width, window.height, window.options...), chromedp.Navigate(demo.page),
				p.says(testid("status"), "is connected"))
			demo.wantHealth(http.StatusServiceUnavailable)
			abortFirst(p)
			readCommands(p)
			rollBack(p)
			demo.wantHealth(http.StatusOK)
			afterwards(p)
			lookAtHome(p)
			demo.stop()
		})
	}
}

// abortFirst asks by the form for what runs already, then for the release before, and thinks better of it.
func abortFirst(p *page) {
	p.say("/rollback")
	p.do(chromedp.WaitVisible(testid("modal", "callback-id", "rollback_form")))
	p.do(chromedp.WaitVisible(testid("field", "action-id", "other"))) // it is filled
	p.picture("form")
	p.choose("release", "v2")
	p.do(chromedp.Click(testid("modal-submit")), chromedp.WaitNotPresent(testid("modal")), p.says(private, "shop runs v2 already"))
	p.picture("runs-already")
	p.dismiss()
	p.say("/rollback")
	p.do(chromedp.WaitVisible(testid("modal", "callback-id", "rollback_form")), chromedp.WaitVisible(testid("field", "action-id", "other")),
		chromedp.SendKeys(testid("field", "action-id", "reason"), "only *looking* <!channel>"),
		chromedp.Click(testid("modal-submit")), chromedp.WaitNotPresent(testid("modal")),
		p.says(testid("message"), "Waiting until"), p.says(testid("message"), "only *looking* <!channel>"),
		p.says(private, "A lead has to sign it off"))
	p.picture("asked-by-form")
	p.dismiss()
	p.say("/rollback shop")
	p.do(p.says(private, "One runs at a time"))
	p.picture("busy")
	p.dismiss()
	p.do(chromedp.Click(testid("action", "action-id", "abort")), chromedp.WaitVisible(testid("confirm")))
	p.picture("abort-confirm")
	p.do(chromedp.Click(testid("confirm-yes")), p.says(testid("message"), "Rollback of shop: The rollback was aborted"))
	p.picture("aborted")
}

// readCommands asks for everything that only answers.
func readCommands(p *page) {
	for _, c := range []struct{ name, line, want string }{
		{"help", "/rollback help", "What you can type"},
		{"status", "/rollback status", "The rollback was aborted"},
		{"history", "/rollback history shop", "Releases, the latest first"},
		{"plan", "/rollback plan shop", "what a rollback would do"},
		{"unknown-app", "/rollback shpo", "shop"},
		{"tag", "/rollback shop to api=registry.shop.example/shop/api:latest", "@sha256:"},
		{"unknown-release", "/rollback shop to v9", "v1"},
	} {
		p.say(c.line)
		p.do(p.says(private, c.want))
		p.picture(c.name)
		p.dismiss()
	}
}

// rollBack is the whole story, from the form to the record.
func rollBack(p *page) {
	askByForm(p)
	p.do(p.says(testid("message"), "checkout answers 503"), p.says(testid("message"), "Waiting until"))
	p.picture("request")
	p.top("Roll back shop to v1")
	p.picture("request-top")
	signoff := testid("action", "action-id", "signoff_in_place")

	p.become("U0MALLORY")
	p.do(chromedp.Click(signoff), chromedp.Click(testid("confirm-yes")), p.says(private, "Only an engineering lead"))
	p.picture("refused")
	p.dismiss()
	p.become("U0ANA")
	p.do(chromedp.Click(signoff), chromedp.Click(testid("confirm-yes")), p.says(private, "engineering lead"))
	p.dismiss()

	p.become("U0LENA")
	p.do(chromedp.Click(signoff), p.says(testid("confirm"), "shop goes to v1"))
	p.picture("confirm")
	p.do(chromedp.Click(testid("confirm-yes")), p.says(testid("message"), "signed off: the migration is left in place"),
		p.says(testid("message"), "▓"))
	p.top("Roll back shop to v1")
	p.picture("progress")
	p.do(p.says(testid("message"), "Waiting until"), p.says(testid("message"), "an answer in the thread"))
	p.picture("waiting")

	p.become("U0ANA")
	p.openThread()
	p.do(p.says(testid("thread"), "Is the error rate back at its baseline?"), p.says(testid("thread"), "exactly these commands"))
	p.picture("question")
	p.do(chromedp.Click(testid("action", "action-id", "error_rate_baseline")), p.says(testid("thread"), "Answered: "))
	p.picture("answered")
	p.do(chromedp.Click(testid("close-thread")), chromedp.WaitNotVisible(testid("thread")),
		p.says(testid("message"), "Rollback of shop: Rolled back"), p.says(testid("message"), "Migration state (left in place or reverted): left in place"))
	p.picture("record")
	p.top("Rollback of shop: Rolled back")
	p.picture("record-top")
	p.top("Roll back shop to v1")
	p.picture("done")
	if n := p.count("article", "Rollback of shop: Rolled back"); n != 1 {
		p.t.Errorf("%d records, want 1", n)
	}
	if over := p.number("document.documentElement.scrollWidth - innerWidth"); over > 0 {
		p.t.Errorf("the page is %v px wider than the window", over)
	}
}

// afterwards asks again: there is nothing to go back to any more, and what failed is blocked.
func afterwards(p *page) {
	for _, c := range []struct{ name, line, want string }{
		{"already", "/rollback shop to v1", "already"},
		{"quarantined", "/rollback shop to v2", "quarantine"},
		{"quarantine", "/rollback quarantine", "Quarantine"},
		{"history-after", "/rollback history shop", "Rolled back"},
		{"status-after", "/rollback status shop", "Rolled back"},
	} {
		p.say(c.line)
		p.do(p.says(private, c.want))
		p.picture(c.name)
		p.dismiss()
	}
}

// demoProgram is a running `rollbackbot demo`.
type demoProgram struct {
	t            *testing.T
	cmd          *exec.Cmd
	page, health string
	temporary    string // its folder for what it leaves behind, which should be nothing
}

var (
	pageLine   = regexp.MustCompile(`^Open +(http://\S+)`)
	healthLine = regexp.MustCompile(`^The shop itself: (http://\S+)`)
)

func startDemoProgram(t *testing.T, binary string) *demoProgram {
	t.Helper()
	temporary, err := os.MkdirTemp("", "demo-") // shorter than the test's own: it stands in the commands that the plan shows
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temporary) })
	d := &demoProgram{t: t, temporary: temporary}
	d.cmd = exec.CommandContext(t.Context(), binary, "demo", "--addr", "127.0.0.1:0")
	d.cmd.Env = append(os.Environ(), "TMPDIR="+d.temporary)
	d.cmd.Stderr = os.Stderr
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(os.Interrupt) } // by its own way out, so that its host ends too
	d.cmd.WaitDelay = patience
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := pageLine.FindStringSubmatch(lines.Text()); m != nil {
			d.page = m[1]
		}
		if m := healthLine.FindStringSubmatch(lines.Text()); m != nil {
			d.health = m[1]
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			break
		}
	}
	if d.page == "" || d.health == "" {
		t.Fatal("the demo doesn't say which page to open, or where the shop is")
	}
	return d
}

func (d *demoProgram) wantHealth(want int) {
	d.t.Helper()
	response, err := http.Get(d.health)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // what there is of it
		d.t.Errorf("the shop answers %d, want %d: %s", response.StatusCode, want, body)
	}
}

// stop is Ctrl-C: it ends the demo with status 0, and nothing is left.
func (d *demoProgram) stop() {
	d.t.Helper()
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGINT)
	if err := d.cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		d.t.Errorf("Ctrl-C: %v", err)
	}
	left, err := os.ReadDir(d.temporary)
	if err != nil || len(left) > 0 {
		d.t.Errorf("Ctrl-C left %v behind (%v)", left, err)
	}
}

// page is the demo's page in a browser of its own.
type page struct {
	t        *testing.T
	ctx      context.Context
	window   string
	pictures int
}

var private = testid("message", "private", "true")

// testid is an element by its data attributes: testid("action", "action-id", "abort").
func testid(name string, pairs ...string) chromedp.CSS {
	selector := fmt.Sprintf("[data-testid=%q]", name)
	for i := 0; i < len(pairs); i += 2 {
		selector += fmt.Sprintf("[data-%s=%q]", pairs[i], pairs[i+1])
	}
	return chromedp.CSS(selector)
}

func openPage(t *testing.T, chromium, window string) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()),
	))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 4*patience)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as its first context
		t.Fatal(err)
	}
	return &page{t: t, ctx: ctx, window: window}
}

// patience is far above what anything takes here, the demo's error-rate window of 15 seconds for one: a machine that is
// slow must fail no test.
const patience = 5 * time.Minute

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		err := chromedp.Do(ctx, step)
		for redrawn(err) && ctx.Err() == nil {
			err = chromedp.Do(ctx, step)
		}
		cancel()
		if err != nil {
			p.picture("failed")
			p.t.Fatalf("step %d: %v", i, err)
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

// says waits until an element says something.
func (p *page) says(selector chromedp.CSS, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		expression := fmt.Sprintf("[...document.querySelectorAll(%q)].some((e) => e.textContent.includes(%q))", string(selector), text)
		for {
			ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
			if ok {
				return nil
			}
			if ctx.Err() != nil {
				seen, _ := chromedp.Run(context.WithoutCancel(ctx), chromedp.Evaluate[string]("document.body.innerText"))
				return fmt.Errorf("%s doesn't say %q (%v); the page says:\n%s", selector, text, err, seen)
			}
			time.Sleep(20 * time.Millisecond) // the browser has no way to call back across its own redraws
		}
	})
}

// say types a line into the message box.
func (p *page) say(line string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(testid("composer"), line+" "+kb.Enter))
}

// choose takes an option of a field of the form.
func (p *page) choose(field, value string) {
	p.t.Helper()
	selector := testid("field", "action-id", field)
	p.do(chromedp.SetValue(selector, value))
	p.evaluate(fmt.Sprintf(`document.querySelector(%q).dispatchEvent(new Event("change"))`, string(selector)))
}

func (p *page) become(user string) {
	p.t.Helper()
	person := testid("person", "user", user)
	p.do(chromedp.Click(person), chromedp.WaitVisible(person+`[aria-pressed="true"]`))
}

// openThread opens the last thread there is.
func (p *page) openThread() {
	p.t.Helper()
	p.evaluate(`[...document.querySelectorAll(".thread-line")].pop().click()`)
	p.do(chromedp.WaitVisible(testid("thread")))
}

// dismiss takes away the private answers that were read.
func (p *page) dismiss() {
	p.t.Helper()
	p.evaluate(`for (const b of document.querySelectorAll('[data-testid="dismiss"]')) b.click()`)
	p.do(chromedp.WaitNotPresent(private))
}

// top brings the last message with that title to the top of the window.
func (p *page) top(title string) {
	p.t.Helper()
	p.evaluate(fmt.Sprintf(`[...document.querySelectorAll("#messages article")].filter((e) => e.textContent.includes(%q)).pop()?.scrollIntoView({block: "start"})`, title))
}

func (p *page) count(selector, text string) int {
	p.t.Helper()
	return int(p.number(fmt.Sprintf("[...document.querySelectorAll(%q)].filter((e) => e.textContent.includes(%q)).length", selector, text)))
}

func (p *page) number(expression string) float64 {
	p.t.Helper()
	n, err := chromedp.Run(p.ctx, chromedp.Evaluate[float64](expression))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return n
}

func (p *page) evaluate(expression string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("(() => { "+expression+"; return true; })()")); err != nil {
		p.t.Fatalf("evaluate %s: %v", expression, err)
	}
}

// picture saves what the browser shows, numbered in the order of the story.
func (p *page) picture(name string) {
	p.t.Helper()
	folder := os.Getenv(screenshotsVariable)
	if folder == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Errorf("picture of %s: %v", name, err)
		return
	}
	p.pictures++
	file := fmt.Sprintf("%s-%02d-%s.png", p.window, p.pictures, name)
	if err := os.WriteFile(filepath.Join(folder, file), png, 0o644); err != nil {
		p.t.Error(err)
	}
}
