package bot

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

const (
	hexA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hexB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func twoImages() map[string]runbook.Image {
	return map[string]runbook.Image{
		"api": {Name: "ghcr.io/acme/shop/api", Digest: "sha256:" + hexA},
		"web": {Name: "ghcr.io/acme/shop/web", Digest: "sha256:" + hexB},
	}
}

func TestParse(t *testing.T) {
	full := Command{Verb: VerbRollback, App: "shop", Release: "v1", Migration: "yes", Owner: "U1", Reason: "checkout answers 500"}
	images := Command{Verb: VerbRollback, App: "shop", Images: twoImages(), Reason: "x"}
	for _, c := range []struct {
		text string
		want Command
	}{
		{"", Command{Verb: VerbForm}},
		{" \u00a0\n", Command{Verb: VerbForm}},
		{"/rollback", Command{Verb: VerbForm}},
		{"shop", Command{Verb: VerbRollback, App: "shop"}},
		{"Shop", Command{Verb: VerbRollback, App: "shop"}},
		{"shop to v1 migration yes owner <@U1|ana> because checkout answers 500", full},
		{"/rollback shop owner <@U1> migration yes to v1 because checkout answers 500", full},
		{"SHOP Migration Yes To v1 Owner <@U1|Ana Lee> Because checkout answers 500", full},
		{"shop\u00a0to\u00a0“v1”\nmigration *yes*\nowner _<@U1|ana>_\nbecause checkout answers 500", full},
		{"*shop to v1* ~migration~ `yes`, owner <@U1>: because: checkout answers 500", full},
		{"shop — to v1 – migration yes owner &lt;@U1&gt; because checkout answers 500", full},
		{"sh\u200bop\u200b to \ufeffv1 migration yes owner <@U1> because\u200b checkout answers 500\u200b", full},
		{"shop to v1–rc2", Command{Verb: VerbRollback, App: "shop", Release: "v1-rc2"}},
		{"shop to Previous", Command{Verb: VerbRollback, App: "shop", Release: "previous"}},
		{"shop to r-0123456789AB", Command{Verb: VerbRollback, App: "shop", Release: "r-0123456789ab"}},
		{"shop to SHA256:0123456789AB…", Command{Verb: VerbRollback, App: "shop", Release: "sha256:0123456789ab"}},
		{"shop to api=ghcr.io/acme/shop/api@sha256:" + hexA + " web=“ghcr.io/acme/shop/web@sha256:" + hexB + "” because x", images},
		{"shop to api=<http://ghcr.io/acme/shop/api@sha256:" + hexA + "|ghcr.io/acme/shop/api@sha256:" + hexA + "> web=ghcr.io/acme/shop/web@sha256:" + hexB + " because x", images},
		{"shop because to v1 because owner", Command{Verb: VerbRollback, App: "shop", Reason: "to v1 because owner"}},
		{"shop because a &lt;b&gt; &amp;amp; *c*\nd", Command{Verb: VerbRollback, App: "shop", Reason: "a <b> &amp; *c*\nd"}},
		{"shop because <@U2|bob> saw <https://x|x> in <#C1|ops>, see <https://e.example/?a=1&amp;b=2>, <https://d.example|the board>, <!here>, <!subteam^S1|@leads>",
			Command{Verb: VerbRollback, App: "shop", Reason: "@bob saw x in #ops, see https://e.example/?a=1&b=2, the board (https://d.example), @here, @leads"}},
		{"status", Command{Verb: VerbStatus}},
		{"Status shop", Command{Verb: VerbStatus, App: "shop"}},
		{"status RB-ab12", Command{Verb: VerbStatus, ID: "rb-ab12"}},
		{"history shop", Command{Verb: VerbHistory, App: "shop"}},
		{"plan shop", Command{Verb: VerbPlan, App: "shop"}},
		{"plan shop to v1", Command{Verb: VerbPlan, App: "shop", Release: "v1"}},
		{"abort rb–ab12", Command{Verb: VerbAbort, ID: "rb-ab12"}},
		{"quarantine", Command{Verb: VerbQuarantine}},
		{"quarantine shop", Command{Verb: VerbQuarantine, App: "shop"}},
		{"lift sha256:0123456789ab because fixed, <http://pm.example/1|pm.example/1>", Command{Verb: VerbLift, Digest: "sha256:0123456789ab", Reason: "fixed, http://pm.example/1"}},
		{"doctor", Command{Verb: VerbDoctor}},
		{"help", Command{Verb: VerbHelp}},
	} {
		got, err := Parse(c.text)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.text, got, err, c.want)
		}
	}
}

func TestParse_WrongLines(t *testing.T) {
	for _, c := range []struct{ text, problem, try string }{
		{"to v1", "Which app", ""},
		{"shop v1", `"v1" is not understood`, "/rollback shop to v1"},
		{"shop previous because x", "not understood", "/rollback shop to previous because x"},
		{"shop checkout is broken", `"checkout" is not understood`, "/rollback shop because checkout is broken"},
		{"shop api=ghcr.io/acme/shop/api@sha256:" + hexA, "not understood", "/rollback shop to api=ghcr.io/acme/shop/api@sha256:" + hexA},
		{"histroy shop", "not understood", "/rollback history shop"},
		{"shop to", "comes a release", "/rollback shop"},
		{"shop to because x", "comes a release", "/rollback shop because x"},
		{"shop to ghcr.io/acme/api:v1", "a tag can be moved", ""},
		{"shop to api=ghcr.io/acme/api:v1", "a tag can be moved", ""},
		{"shop to ghcr.io/acme/api@sha256:" + hexA, "service's name", ""},
		{"shop to sha256:0123", "12 to 64", ""},
		{"shop to v1 to v2", "twice", "/rollback shop to v1"},
		{"shop to v1 api=x", "not to both", "/rollback shop to v1"},
		{"shop to api=ghcr.io/a/b@sha256:" + hexA + " api=ghcr.io/a/b@sha256:" + hexA, "twice", ""},
		{"shop migration maybe because x", "none, yes or unknown", "/rollback shop migration unknown because x"},
		{"shop migration no", "none, yes or unknown", "/rollback shop migration none"},
		{"shop migration", "none, yes or unknown", "/rollback shop migration unknown"},
		{"shop owner @ana because x", "picked from the list", "/rollback shop because x"},
		{"shop because", "comes the reason", "/rollback shop"},
		{"sh?p", "no app's name", "/rollback help"},
		{"rb-ab12", "rollback's ID", "/rollback status rb-ab12"},
		{"plan", "Which app", ""},
		{"plan shop because x", "not understood", "/rollback plan shop"},
		{"history", "Whose history", ""},
		{"history shop now", "too much", "/rollback history shop"},
		{"abort", "Which rollback", "/rollback status"},
		{"abort shop", "no rollback's ID", "/rollback status shop"},
		{"lift", "Which image", ""},
		{"lift sha256:0123456789ab", "Why may it", ""},
		{"lift sha256:0123456789ab it is fixed", "after \"because\"", "/rollback lift sha256:0123456789ab because it is fixed"},
		{"doctor shop", "too much", "/rollback doctor"},
	} {
		_, err := Parse(c.text)
		var usage *UsageError
		if !errors.As(err, &usage) {
			t.Errorf("Parse(%q) gave %v, want a *UsageError", c.text, err)
			continue
		}
		if !strings.Contains(usage.Problem, c.problem) || usage.Try != c.try {
			t.Errorf("Parse(%q) gave %q, try %q; want %q in it, try %q", c.text, usage.Problem, usage.Try, c.problem, c.try)
		}
	}
}

func TestCommandOf_AsksForTheSame(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, line := range []string{"shop", "shop to v1 migration yes owner <@U2> because a &lt; b", "shop to api=ghcr.io/acme/shop/api@sha256:" + hexA} {
		command, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		request := command.Request("U1", at)
		again, err := Parse(CommandOf(request).Line())
		if err != nil {
			t.Fatalf("the line of %q: %v", line, err)
		}
		if got := again.Request("U1", at); !reflect.DeepEqual(got, request) {
			t.Errorf("the line of %q asks for %+v, want %+v", line, got, request)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "shop to v1 migration yes owner <@U1|ana> because x <!channel> &amp; y", "status rb-1", "plan shop to sha256:0123456789ab…",
		"lift sha256:0123456789ab because <https://x|y>", "shop to api=ghcr.io/acme/shop/api@sha256:" + hexA, "shop *to* “v1” — because",
		"shop to <#C1|a b>", "shop to &lt;@U1&gt;", "\xff\x00/rollback /rollback shop",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		command, err := Parse(text)
		if err != nil {
			var usage *UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("Parse(%q) gave %v, which is no *UsageError", text, err)
			}
			if usage.Try == "" {
				return
			}
			if command, err = Parse(usage.Try); err != nil {
				t.Fatalf("Parse(%q) says to try %q, which is wrong too: %v", text, usage.Try, err)
			}
		}
		again, err := Parse(command.Line())
		if err != nil || !reflect.DeepEqual(again, command) {
			t.Fatalf("Parse(%q) = %+v, but its line %q gives %+v, %v", text, command, command.Line(), again, err)
		}
	})
}
