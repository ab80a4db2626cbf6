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
	"rollbackbot/internal/compose"
	"rollbackbot/internal/github"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// soundWorld is all that a rollback needs, in order: a local Slack, a host in memory, a database, a GitHub.
type soundWorld struct {
	main.Examination
	slack  *localslack.Server
	host   *oddHost
	path   string // of the database
	hub    map[string]string
	status int // what the health URL answers
	rate   error
}

// oddHost is a memoryHost that may answer some commands otherwise.
type oddHost struct {
	*memoryHost
	odd func(line string) (stdout, stderr string, status int, err error, is bool)
	off time.Duration // of its clock
}

func (h *oddHost) hosts() runbook.Hosts {
	return &compose.Hosts{Shell: func(runbook.Host) compose.Shell { return h }}
}

func (h *oddHost) Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error) {
	line := strings.Join(cmd.Args, " ")
	if h.odd != nil {
		if out, errs, status, err, is := h.odd(line); is {
			return status, []byte(out), []byte(errs), err
		}
	}
	status, stdout, stderr, err = h.memoryHost.Run(ctx, cmd, stdin)
	if strings.Contains(line, "missing=") {
		stdout = fmt.Appendf(stdout, "clock=%d\n", time.Now().Add(h.off).Unix())
	}
	return status, stdout, stderr, err
}

// answers has the commands whose line holds a text answered so.
func (h *oddHost) answers(part, stdout, stderr string, status int) {
	before := h.odd
	h.odd = func(line string) (string, string, int, error, bool) {
		if strings.Contains(line, part) {
			return stdout, stderr, status, nil, true
		}
		if before != nil {
			return before(line)
		}
		return "", "", 0, nil, false
	}
}

func (h *oddHost) fails(err error) {
	h.odd = func(string) (string, string, int, error, bool) { return "", "", 0, err, true }
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
	w := &soundWorld{
		slack: startSlack(t), host: &oddHost{memoryHost: newMemoryHost(t)}, status: http.StatusOK,
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
	w.Hosts, w.Health, w.Rates = w.host.hosts(), w, w
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

// Each fault, planted alone, is found, with what mends it.
func TestDoctor_FindsPlantedFaults(t *testing.T) {
	t.Parallel()
	away := &runbook.HostError{Host: "deploy@memory", Unreachable: true, Problem: "nothing answers", Remedy: "Check that the host runs"}
	changed := &runbook.HostError{Host: "deploy@memory", Problem: "its host key has changed", Remedy: "Compare it, then: ssh-keygen -R memory"}
	scopesWithout := func(gone string) []string {
		return slices.DeleteFunc(manifestScopes(t), func(scope string) bool { return scope == gone })
	}
	everybody := []string{onCall, lead, nobody, guest, botUser}
	for _, fault := range []struct {
		name  string
		plant func(t *testing.T, w *soundWorld)
		about string // of the finding
		seen  string // is in what was seen
		mends string // is in the remedy
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
		{"a host that is away", func(_ *testing.T, w *soundWorld) { w.host.fails(away) }, "shop on deploy@memory", "nothing answers", "host runs"},
		{"another host key", func(_ *testing.T, w *soundWorld) { w.host.fails(changed) }, "shop on deploy@memory", "host key", "ssh-keygen -R"},
		{"a host without flock", func(_ *testing.T, w *soundWorld) { w.host.answers("missing=", "missing= flock\n", "", 0) }, "shop on deploy@memory", "flock", "Install util-linux"},
		{"no compose file", func(_ *testing.T, w *soundWorld) { w.host.answers("missing=", "missing=\n", "", 0) }, "shop on deploy@memory", "no readable compose file", "COMPOSE_FILE"},
		{"an old Compose", func(_ *testing.T, w *soundWorld) { w.host.answers("compose version", "1.29.2\n", "", 0) }, "shop on deploy@memory", "1.29.2", "docker-compose-plugin"},
		{"a compose file that ignores the pins", func(_ *testing.T, w *soundWorld) {
			w.host.answers("config --format json", `{"name":"shop","services":{"api":{"image":"api:latest"},"worker":{"image":"worker:latest"}}}`, "", 0)
		}, "shop on deploy@memory", "doesn't take its image", "image: ${API_IMAGE}"},
		{"a lock that is held", func(_ *testing.T, w *soundWorld) {
			w.host.answers("rollbackbot show", "rollback=lock:ci\nepoch=7\nholder=ci\nreason=deploy\nleft=900\n", "", 0)
		}, "lock of shop on deploy@memory", "ci", "rollbackbot unlock shop"},
		{"an image that is gone", func(_ *testing.T, w *soundWorld) { w.host.loses(shopImages(1)["api"], "manifest unknown", 1) }, "shop on deploy@memory", "neither on this host nor in the registry", "Choose another release"},
		{"a full disk", func(_ *testing.T, w *soundWorld) {
			w.host.loses(shopImages(1)["api"], "", 0)
			w.host.answers("missing=", "missing=\ncompose_file=yes\nenv_file=/opt/shop/infra/.env\npins=replaceable\nfree_kib=1024\n", "", 0)
		}, "shop on deploy@memory", "MiB are free", "docker image prune"},
		{"a clock that is wrong", func(_ *testing.T, w *soundWorld) { w.host.off = -5 * time.Minute }, "clock of deploy@memory", "5m", "set-ntp"},
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
				return f.Mark == runbook.Wrong && f.About == fault.about && strings.Contains(f.Seen, fault.seen) && strings.Contains(f.Remedy, fault.mends)
			}) {
				t.Errorf("not found: %s wrong, seen %q, remedy %q, in\n%s", fault.about, fault.seen, fault.mends, lines(found))
			}
			if strings.Contains(lines(found), "averysecret") {
				t.Errorf("a secret shows:\n%s", lines(found))
			}
		})
	}
}

// loses takes an image off the host; status is that of asking the registry for it.
func (h *oddHost) loses(image runbook.Image, stderr string, status int) {
	h.odd = func(line string) (string, string, int, error, bool) {
		switch {
		case strings.Contains(line, "manifest inspect"):
			return `{"config":{"size":1000},"layers":[{"size":99000000}]}`, stderr, status, nil, true
		case strings.Contains(line, "image inspect") && strings.Contains(line, image.String()):
			return "", "Error: No such image: " + image.String(), 1, nil, true
		}
		return "", "", 0, nil, false
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
	w.host.answers("rollbackbot show", "rollback=rb-open\nepoch=7\nholder=rb-open\nreason=rollback\nleft=60\n", "", 0)
	want := func(when string, mark runbook.Mark) {
		t.Helper()
		for _, f := range w.Run(t.Context()) {
			if f.About == "lock of shop on deploy@memory" {
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
