package main_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/localslack"
)

// TestGate rolls a broken release back on real parts and asks the gate, in a terminal and over HTTP: the failed api is
// quarantined, whatever its repository's name; the former release's images and one that both releases share are not; and
// without a database nobody may say yes. A lead lifts it with the postmortem's link, and the journal tells who and why.
func TestGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v1, v2 := w.stack.Images("v1"), w.stack.Images("v2")
	v2["web"] = v1["web"] // both releases share it
	w.env["ROLLBACK_HTTP_ADDR"], w.env["ROLLBACK_HTTP_TOKEN"] = freeAddress(t), gateToken
	w.brokenRelease(t)
	bot := w.serve(t, nil)
	w.connected(t)

	// Away from the bot's machine: nothing but these is set.
	away := &program{binary: w.binary, env: map[string]string{"ROLLBACK_URL": "http://" + w.env["ROLLBACK_HTTP_ADDR"], "ROLLBACK_HTTP_TOKEN": gateToken}}
	here := &program{binary: w.binary, env: map[string]string{"ROLLBACK_DATABASE_URL": w.env["ROLLBACK_DATABASE_URL"]}}
	asks := func(want int, refs ...string) {
		t.Helper()
		said := map[string]bool{}
		for _, p := range []*program{here, away} {
			status, out, why := p.run(t, append([]string{"allowed"}, refs...)...)
			if status != want || out != "" || (why == "") != (want == 0) {
				t.Errorf("allowed %v ends with status %d, want %d: %s%s", refs, status, want, out, why)
			}
			said[why] = true
		}
		if len(said) != 1 {
			t.Errorf("the journal and the bot don't say the same of %v: %v", refs, said)
		}
	}
	asks(0, v2["api"], v2["worker"], v2["web"], v1["api"])

	w.types(t, onCall, "/rollback "+w.app+" to v1 migration yes because checkout answers 503 since v2")
	request, asked := w.request(t, 1)
	asks(0, v2["api"]) // nothing is replaced yet
	w.clicks(t, lead, request.TS, "signoff_in_place")
	w.clicks(t, onCall, w.question(t, request.TS, "error_rate_baseline"), "error_rate_baseline")
	w.record(t, 1)

	_, digest, _ := strings.Cut(v2["api"], "@")
	asks(3, v2["api"])
	asks(3, v2["worker"])
	asks(3, "ghcr.io/elsewhere/mirror@"+digest)
	asks(3, v1["api"], v1["worker"], v2["api"])
	asks(0, v1["api"], v1["worker"], v1["web"])
	asks(0, v2["web"])
	for name, nowhere := range map[string]map[string]string{
		"no database":   {"ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "journal.db")},
		"no bot":        {"ROLLBACK_URL": "http://" + freeAddress(t), "ROLLBACK_HTTP_TOKEN": gateToken},
		"another token": {"ROLLBACK_URL": away.env["ROLLBACK_URL"], "ROLLBACK_HTTP_TOKEN": strings.ToUpper(gateToken)},
	} {
		if status, _, why := (&program{binary: w.binary, env: nowhere}).run(t, "allowed", v1["api"]); status != 1 || why == "" {
			t.Errorf("%s: allowed ends with status %d: %s", name, status, why)
		}
	}
	note := func(images map[string]string) []string {
		args := []string{"deployed", w.app, "--version", "v9", "--migration", "none"}
		for service, ref := range images {
			args = append(args, "--image", service+"="+ref)
		}
		return args
	}
	mixed := maps.Clone(v1)
	mixed["api"] = v2["api"]
	for _, p := range []*program{w.program, away} {
		if status, _, why := p.run(t, note(mixed)...); status != 3 || !strings.Contains(why, asked.Rollback) || !strings.Contains(why, v2["api"]) {
			t.Errorf("deployed with v2's api ends with status %d: %s", status, why)
		}
		if status, _, why := p.run(t, note(map[string]string{"api": v1["api"]})...); status != 2 || !strings.Contains(why, "worker") || !strings.Contains(why, "web") {
			t.Errorf("deployed without two services ends with status %d: %s", status, why)
		}
	}
	before := len(w.slack.Private(onCall))
	w.types(t, onCall, "/rollback "+w.app+" to v2 because why not")
	w.told(t, onCall, before, "quarantined by rollback "+asked.Rollback)
	before = len(w.slack.Private(onCall))
	w.types(t, onCall, "/rollback "+w.app+" to api="+v2["api"]+" worker="+v1["worker"]+" web="+v1["web"]+" because why not")
	w.told(t, onCall, before, "quarantined by rollback "+asked.Rollback)

	const cause = "the pool was too small: https://github.com/acme/shop/issues/7"
	w.liftRefused(t, onCall, digest, cause, "Only an engineering lead")
	w.liftRefused(t, guest, digest, cause, "guest")
	w.liftRefused(t, lead, digest, "it works now", "postmortem's link")
	asks(3, v2["api"])
	before = len(w.slack.Private(lead))
	w.types(t, lead, "/rollback lift "+digest[:len("sha256:")+12]+" because "+cause)
	w.told(t, lead, before, "not quarantined any more")
	asks(0, v2["api"])
	asks(3, v2["worker"])
	w.await(t, "the channel to be told of the lift", func(now *localslack.Snapshot) bool {
		told := ofKind(now, "rollback_notice")
		told = slices.DeleteFunc(told, func(m localslack.Message) bool { return !strings.Contains(m.Text, digest) })
		return len(told) == 1 && strings.Contains(told[0].Text, cause) && strings.Contains(told[0].Text, lead)
	})
	w.liftJournalled(t, digest, cause)
	bot.stop(t)
	w.keepsItsSecrets(t, bot)
	if strings.Contains(bot.text(), gateToken) {
		t.Error("the log holds the gate's token")
	}
}

func (w *world) liftRefused(t *testing.T, who, digest, cause, why string) {
	t.Helper()
	before := len(w.slack.Private(who))
	w.types(t, who, "/rollback lift "+digest+" because "+cause)
	w.told(t, who, before, why)
}

// liftJournalled wants the one lift in the journal, with who and why.
func (w *world) liftJournalled(t *testing.T, digest, cause string) {
	t.Helper()
	var lifts []string
	for line := range strings.Lines(w.mustRun(t, "audit", "export")) {
		var event struct {
			Kind, Actor string
			Body        struct{ Digest, Cause, By string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		if event.Kind == "lifted" {
			lifts = append(lifts, event.Actor+" "+event.Body.By+" "+event.Body.Digest+" "+event.Body.Cause)
		}
	}
	if want := lead + " " + lead + " " + digest + " " + cause; len(lifts) != 1 || lifts[0] != want {
		t.Errorf("the journal has the lifts %q, want %q", lifts, want)
	}
}
