package main_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	main "rollbackbot/cmd/rollbackbot"
	"rollbackbot/config"
	"rollbackbot/internal/github"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// soundWorld is all that a rollback needs, in order: a local Slack, a host in memory, a database, a GitHub.
type soundWorld struct {
	main.Examination
	slack  *localslack.Server
	host   *standin.Host
	path   string // of the database
	hub    map[string]string
	status int // what the health URL answers
	rate   error
}

func (w *soundWorld) Check(context.Context, string, string) (int, error) { return w.status, nil }

func (w *soundWorld) Now(context.Context, runbook.App) (runbook.Sample, error) {
	return runbook.Sample{At: time.Now()}, w.rate
}

func (w *soundWorld) Between(context.Context, runbook.App, time.Time, time.Time, time.Duration) ([]runbook.Sample, error) {
	return nil, w.rate
}

func newSoundWorld(t *testing.T) *soundWorld {
	t.Helper()
	lab, host := newShop()
	w := &soundWorld{
		slack: startSlack(t), host: host, status: http.StatusOK,
		path: filepath.Join(t.TempDir(), "rollbackbot.db"),
		hub:  map[string]string{"/repos/acme/shop": `{"has_issues":true}`, "/repos/acme/shop/issues": `[]`},
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		body, known := w.hub[r.URL.Path]
		if !known {
			out.WriteHeader(http.StatusNotFound)
			body = `{"message":"Not Found"}`
		}
		_, _ = out.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	var err error
	if w.Hub, err = github.New("ghp_averysecrettoken00000", server.URL); err != nil {
		t.Fatal(err)
	}
	app := shopApp()
	app.Repository = "acme/shop"
	ws := w.slack.Workspace()
	w.Config = config.Config{
		DatabaseURL: config.NewSecret("sqlite:" + w.path), Apps: []runbook.App{app},
		Slack:  config.Slack{BotToken: config.NewSecret(ws.BotToken), AppToken: config.NewSecret(ws.AppToken), APIURL: w.slack.APIURL(), Channel: channel},
		People: config.People{Leads: []string{leads}, Requesters: []string{onCall}, Deputies: []string{lead}},
	}
	w.Hosts, w.Health, w.Rates = lab, w, w
	w.Disk = func(string) string { return "" }
	if w.Store, err = journal.Open(t.Context(), "sqlite:"+w.path, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	store := w.Store
	t.Cleanup(func() { store.Close() })
	w.append(t, runbook.Observed{Images: shopImages(1)}, runbook.Verified{Images: shopImages(1)}, runbook.Observed{Images: shopImages(2)})
	return w
}

func (w *soundWorld) append(t *testing.T, facts ...runbook.Fact) {
	t.Helper()
	if _, err := w.Store.Append(t.Context(), runbook.Entry{App: "shop", At: time.Now(), Facts: facts}); err != nil {
		t.Fatal(err)
	}
}

// refuse has Slack refuse the calls of a method.
func (w *soundWorld) refuse(method, code string) {
	w.slack.Fault(func(call localslack.Call) *localslack.Fault {
		if call.Method == method {
			return &localslack.Fault{Error: code}
		}
		return nil
	})
}

// all are a finding's lines.
func lines(findings []runbook.Finding) string {
	var text []string
	for _, f := range findings {
		text = append(text, f.String())
	}
	return strings.Join(text, "\n")
}

// In a world in order nothing is wrong, and what could not be seen is not called fine.
func TestDoctor_SoundWorld(t *testing.T) {
	t.Parallel()
	found := newSoundWorld(t).Run(t.Context())
	var unchecked []string
	for _, f := range found {
		switch f.Mark {
		case runbook.Wrong:
			t.Errorf("wrong in a world in order: %s", f)
		case runbook.Unchecked:
			unchecked = append(unchecked, f.About)
		}
	}
	if want := []string{"signing off without Slack", "observer of shop", "writing issues of acme/shop"}; !slices.Equal(unchecked, want) {
		t.Errorf("not checked are %q, want %q", unchecked, want)
	}
	if len(found) < 20 {
		t.Errorf("only %d lines:\n%s", len(found), lines(found))
	}
}

// Each fault, planted alone, is found, with its fix. What a real host answers, and how that is worded, internal/compose and
// ssh have tests of; here doctor has to show what the port to the host says.
func TestDoctor_FindsPlantedFaults(t *testing.T) {
	t.Parallel()
	const (
		onHost, lock = "shop on " + string(shopHost), "lock of shop on " + string(shopHost)
		clock        = "clock of " + string(shopHost)
	)
	at := func(change func(s *standin.State)) func(*testing.T, *soundWorld) {
		return func(_ *testing.T, w *soundWorld) { w.host.Set(change) }
	}
	former := shopImages(1)["api"]
	scopesWithout := func(gone string) []string {
		return slices.DeleteFunc(manifestScopes(t), func(scope string) bool { return scope == gone })
	}
	everybody := []string{onCall, lead, nobody, guest, botUser}
	for _, fault := range []struct {
		name  string
		plant func(t *testing.T, w *soundWorld)
		about string // of the finding
		seen  string // is in what was seen
		fix   string // is in the remedy
	}{
		{"a token of another kind", func(_ *testing.T, w *soundWorld) { w.Config.Slack.BotToken = config.NewSecret("xoxp-1-averysecret") }, "bot token", "xoxb-", "OAuth & Permissions"},
		{"a revoked token", func(_ *testing.T, w *soundWorld) { w.refuse("auth.test", "token_revoked") }, "bot token", "token_revoked", "nstall the app again"},
		{"a scope that is missing", func(_ *testing.T, w *soundWorld) { w.slack.SetScopes(scopesWithout("im:history")...) }, "scopes", "im:history", "rollbackbot manifest"},
		{"Socket Mode switched off", func(_ *testing.T, w *soundWorld) { w.refuse("apps.connections.open", "link_disabled") }, "app token", "link_disabled", "Socket Mode"},
		{"a bot outside the channel", func(_ *testing.T, w *soundWorld) {
			w.slack.SetChannel(localslack.Channel{ID: channel, Name: "shop", Members: everybody[:4]})
		}, "team channel", "doesn't have the bot in it", "/invite"},
		{"an archived channel", func(_ *testing.T, w *soundWorld) {
			w.slack.SetChannel(localslack.Channel{ID: channel, Name: "shop", Members: everybody, Archived: true})
		}, "team channel", "archived", "ROLLBACK_CHANNEL"},
		{"a shared channel", func(_ *testing.T, w *soundWorld) {
			w.slack.SetChannel(localslack.Channel{ID: channel, Name: "shop", Members: everybody, Shared: true})
		}, "team channel", "shared with another organisation", "unshared"},
		{"a history that can't be read", func(_ *testing.T, w *soundWorld) { w.refuse("conversations.history", "missing_scope") }, "history of the team channel", "missing_scope", "install the app again"},
		{"an empty group of leads", func(_ *testing.T, w *soundWorld) {
			w.slack.SetGroup(localslack.UserGroup{ID: leads, Handle: "engineering-leads"})
		}, "leads", "is empty", "ROLLBACK_LEADS"},
		{"a group in which nobody counts", func(_ *testing.T, w *soundWorld) {
			w.slack.SetGroup(localslack.UserGroup{ID: leads, Handle: "engineering-leads", Members: []string{guest}})
		}, "leads", "guests don't count", "ROLLBACK_LEADS"},
		{"a group that doesn't exist", func(_ *testing.T, w *soundWorld) { w.Config.People.Leads = []string{"S0NONE", lead} }, "leads", "S0NONE", "ROLLBACK_LEADS"},
		{"a deactivated deputy", func(_ *testing.T, w *soundWorld) {
			w.slack.SetUser(localslack.User{ID: nobody, Name: "mallory", Deleted: true})
			w.Config.People.Deputies = []string{lead, nobody}
		}, "deputies", "deactivated", "ROLLBACK_DEPUTIES"},
		{"a requester who doesn't exist", func(_ *testing.T, w *soundWorld) { w.Config.People.Requesters = []string{onCall, "U0GONE"} }, "requesters", "U0GONE", "ROLLBACK_REQUESTERS"},
		{"no database", func(_ *testing.T, w *soundWorld) { w.Store, w.NoStore = nil, fmt.Errorf("there is none") }, "database", "there is none", "ROLLBACK_DATABASE_URL"},
		{"a database in memory", func(_ *testing.T, w *soundWorld) { w.Disk = func(string) string { return "tmpfs" } }, "the database's disk", "tmpfs", "volume"},
		{"a journal that was changed", func(t *testing.T, w *soundWorld) { tamper(t, w.path) }, "journal of shop", "broken", "audit verify"},
		{"a host that is away", at(func(s *standin.State) { s.Down = true }), onHost, "it does not answer", "Wait, or start it"},
		{"a host that hangs up", at(func(s *standin.State) { s.HungUp = true }), onHost, "it hung up", "busy"},
		{"another host key", at(func(s *standin.State) { s.Refuses = "its host key has changed" }), onHost, "its host key has changed", "Fix that on the host"},
		{"no engine", at(func(s *standin.State) { s.NoEngine = true }), onHost, "the container engine doesn't answer", "Start it there"},
		{"the first of what a preflight finds", at(findTwo), onHost, "it lacks flock", "Install util-linux"},
		{"all else that a preflight finds", at(findTwo), onHost, "the file takes no image from API_IMAGE", "Write API_IMAGE into it"},
		{"files that can't be read", at(func(s *standin.State) { s.BrokenFiles = true }), onHost, "the app's files can't be read", "Fix them"},
		{"pins that can't be read", at(func(s *standin.State) { s.Unreadable = true }), onHost, "the pins file, /opt/shop/pins, can't be read", "own it"},
		{"pins that can't be written", at(func(s *standin.State) { s.PinsFault = runbook.PinsNotOurs }), onHost, "the pins file, /opt/shop/pins, can't be replaced", "own it"},
		{"a lock that is held", func(_ *testing.T, w *soundWorld) { w.host.TakeByHand("ci", "deploy", 15*time.Minute) }, lock, "ci", "rollbackbot unlock shop"},
		{"an image that is gone", at(func(s *standin.State) { delete(s.Here, former); delete(s.Registry, former) }), onHost, "neither on this host nor in the registry", "Choose another release"},
		{"a full disk", at(func(s *standin.State) {
			delete(s.Here, former)
			s.Sizes[former], s.FreeBytes = 400<<20, 1<<20
		}), onHost, "MiB are free", "Remove what nobody uses"},
		{"a clock that is wrong", at(func(s *standin.State) { s.ClockOff = 5 * time.Minute }), clock, "5m", "set-ntp"},
		{"no release to go back to", func(t *testing.T, w *soundWorld) {
			var err error
			if w.Store, err = journal.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "young.db"), journal.Options{}); err != nil {
				t.Fatal(err)
			}
			young := w.Store
			t.Cleanup(func() { young.Close() })
			w.append(t, runbook.Observed{Images: shopImages(2)})
		}, "default target of shop", "", "rollbackbot deployed shop"},
		{"a health URL that is wrong", func(_ *testing.T, w *soundWorld) { w.status = http.StatusMovedPermanently }, "health of shop", "answers 301", "HEALTH_URL"},
		{"a query without data", func(_ *testing.T, w *soundWorld) { w.rate = &runbook.NoRateError{Why: "the query gives no series"} }, "error rate of shop", "no series", "ERROR_RATE_QUERY"},
		{"a repository out of sight", func(_ *testing.T, w *soundWorld) { delete(w.hub, "/repos/acme/shop") }, "GitHub's acme/shop", "may not see it", "ROLLBACK_GITHUB_TOKEN"},
		{"issues switched off", func(_ *testing.T, w *soundWorld) { w.hub["/repos/acme/shop"] = `{"has_issues":false}` }, "issues of acme/shop", "switched off", "settings"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			w := newSoundWorld(t)
			fault.plant(t, w)
			found := w.Run(t.Context())
			if !slices.ContainsFunc(found, func(f runbook.Finding) bool {
				return f.Mark == runbook.Wrong && f.About == fault.about && strings.Contains(f.Seen, fault.seen) && strings.Contains(f.Remedy, fault.fix)
			}) {
				t.Errorf("not found: %s wrong, seen %q, remedy %q, in\n%s", fault.about, fault.seen, fault.fix, lines(found))
			}
			if strings.Contains(lines(found), "averysecret") {
				t.Errorf("a secret shows:\n%s", lines(found))
			}
		})
	}
}

// What only a fetch will tell is neither fine nor wrong.
func TestDoctor_ARegistryThatDoesntAnswer(t *testing.T) {
	t.Parallel()
	w := newSoundWorld(t)
	w.host.Set(func(s *standin.State) {
		delete(s.Here, shopImages(1)["api"])
		s.Silent = true
	})
	found := w.Run(t.Context())
	if !slices.ContainsFunc(found, func(f runbook.Finding) bool {
		return f.Mark == runbook.Unchecked && strings.Contains(f.Seen, "only the fetch will tell")
	}) || !runbook.Sound(found) {
		t.Errorf("got\n%s", lines(found))
	}
}

// findTwo has a preflight find two things at once.
func findTwo(s *standin.State) {
	s.Problems = []runbook.Problem{
		{What: "it lacks flock", Remedy: "Install util-linux"},
		{What: "the file takes no image from API_IMAGE", Remedy: "Write API_IMAGE into it"},
	}
}

// manifestScopes are the scopes that the app's manifest asks for.
func manifestScopes(t *testing.T) []string {
	t.Helper()
	var manifest struct {
		OAuth struct {
			Scopes struct{ Bot []string }
		} `json:"oauth_config"`
	}
	var out, errs strings.Builder
	if main.Run(t.Context(), []string{"manifest"}, &out, &errs) != 0 || json.Unmarshal([]byte(out.String()), &manifest) != nil {
		t.Fatalf("no manifest: %s", errs.String())
	}
	return manifest.OAuth.Scopes.Bot
}

// tamper changes an event by other means than the journal's.
func tamper(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE events SET rollback = 'rb-none' WHERE app = 'shop' AND seq = 1`); err != nil {
		t.Fatal(err)
	}
}

// The process that acts knows how old the observer's last look is, and a rollback that is under way keeps it from looking.
func TestDoctor_Observer(t *testing.T) {
	t.Parallel()
	w := newSoundWorld(t)
	age := time.Duration(0)
	w.Observed = func(string) time.Time { return time.Now().Add(-age) }
	of := func() runbook.Finding {
		t.Helper()
		for _, f := range w.Run(t.Context()) {
			if f.About == "observer of shop" {
				return f
			}
		}
		t.Fatal("nothing is said of the observer")
		return runbook.Finding{}
	}
	if f := of(); f.Mark != runbook.Fine {
		t.Errorf("a moment ago: %s", f)
	}
	age = time.Hour
	if f := of(); f.Mark != runbook.Wrong || !strings.Contains(f.Seen, "1h0m") {
		t.Errorf("an hour ago: %s", f)
	}
	w.open(t, "rb-open")
	if f := of(); f.Mark != runbook.Unchecked {
		t.Errorf("a rollback is under way: %s", f)
	}
	w.Observed = func(string) time.Time { return time.Time{} }
	if f := of(); f.Mark != runbook.Unchecked {
		t.Errorf("never: %s", f)
	}
}

// A lock of the bot's own rollback is given back when that ends; anybody else's is in the way.
func TestDoctor_OwnLock(t *testing.T) {
	t.Parallel()
	w := newSoundWorld(t)
	w.host.Set(func(s *standin.State) {
		s.Lease = &standin.Lease{Rollback: "rb-open", Epoch: 7, Holder: "rb-open", Reason: "rollback", Until: time.Now().Add(time.Minute), Boot: s.Boot}
	})
	want := func(when string, mark runbook.Mark) {
		t.Helper()
		for _, f := range w.Run(t.Context()) {
			if f.About == "lock of shop on "+string(shopHost) {
				if f.Mark != mark || !strings.Contains(f.Seen, "rb-open") {
					t.Errorf("%s: %s", when, f)
				}
				return
			}
		}
		t.Errorf("%s: nothing is said of the lock", when)
	}
	want("a rollback that this journal has not open", runbook.Wrong)
	w.open(t, "rb-open")
	want("its own", runbook.Fine)
}

func (w *soundWorld) open(t *testing.T, id string) {
	t.Helper()
	entry := runbook.Entry{App: "shop", Rollback: id, At: time.Now(), Facts: []runbook.Fact{runbook.Requested{Plan: runbook.Plan{App: "shop"}}}}
	if _, err := w.Store.Append(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
}
