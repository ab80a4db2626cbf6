package bot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// homeNow is when the homes of these tests are as of.
var homeNow = asked.Add(2 * time.Hour)

func homeListening() Listening {
	return Listening{
		Socket: SocketState{Connected: true, Sockets: 2, Since: asked.Add(-72 * time.Hour)}, Heard: homeNow.Add(-3 * time.Second), Version: "v1.2.3 (0123456789ab)",
	}
}

// lived folds what the observer saw, so many hours before homeNow each.
func lived(add func(hour func(hours float64, facts ...runbook.Fact))) history.History {
	var events []runbook.Event
	add(func(hours float64, facts ...runbook.Fact) {
		for _, fact := range facts {
			events = append(events, runbook.Event{App: "shop", Rollback: "rb-7q2mzk4x", At: homeNow.Add(-time.Duration(hours * float64(time.Hour))), Fact: fact})
		}
	})
	return history.New(events)
}

func stands(h history.History) runbook.Standing {
	return runbook.Standing{App: "shop", Choices: h.Choices(homeNow), Apart: h.Apart(), Quarantines: h.Quarantines()}
}

// healthyStanding has run v2, known-good, for five hours, and v1 before it.
func healthyStanding(more func(hour func(float64, ...runbook.Fact))) runbook.Standing {
	services := []string{"api", "worker", "web"}
	return stands(lived(func(hour func(float64, ...runbook.Fact)) {
		v1, v2 := imagesOf(services, 1), imagesOf(services, 2)
		hour(50, runbook.Deployed{Images: v1, Version: "v1", Migration: runbook.MigrationNone}, runbook.Observed{Images: v1})
		hour(49, runbook.Verified{Images: v1})
		hour(5, runbook.Deployed{Images: v2, Version: "v2", Migration: runbook.MigrationYes}, runbook.Observed{Images: v2})
		hour(4.5, runbook.Verified{Images: v2})
		if more != nil {
			more(hour)
		}
	}))
}

func homeOf(apps ...homeApp) homeContent {
	return homeContent{at: homeNow, listening: homeListening(), apps: apps}
}

func seenApp(s runbook.Standing) homeApp {
	return homeApp{name: "shop", standing: s, sight: Sight{At: homeNow.Add(-20 * time.Second)}}
}

// opened is an app with a rollback open.
func (a homeApp) opened(rb runbook.Rollback) homeApp {
	a.standing.Open, a.links = &rb, map[string]string{rb.ID: "https://acme.slack.com/archives/C0TEAM/p1"}
	a.unseen = a.isUnseen()
	return a
}

// goldenHomes is the Home tab as it may stand, by its file's name.
func goldenHomes(t *testing.T) map[string]homeContent {
	all := map[string]homeContent{}
	all["healthy"] = homeOf(seenApp(healthyStanding(nil)))
	failing := healthyStanding(func(hour func(float64, ...runbook.Fact)) {
		hour(0.25, runbook.HealthChanged{Images: imagesOf([]string{"api", "worker", "web"}, 2), Reason: "https://api.example.com/health answers 503"})
	})
	all["failing"] = homeOf(seenApp(failing))
	open := seenApp(failing).opened(newStory(t).deployed().start(runbook.StepHealth).rb)
	all["open"], all["under_way"] = homeOf(seenApp(failing).opened(newStory(t).requested().rb)), homeOf(open)

	services := []string{"api", "worker", "web"}
	done := newStory(t).succeeded().rb
	blocked := func(hour func(float64, ...runbook.Fact)) {
		hour(700, runbook.Quarantined{Images: []runbook.Image{imageOf("api", 3)}})
		hour(2, runbook.Requested{Request: done.Request, Plan: done.Plan}, runbook.Quarantined{Images: []runbook.Image{imageOf("api", 2), imageOf("worker", 2)}}, runbook.Ended{Outcome: done.Outcome})
	}
	just := seenApp(healthyStanding(blocked))
	just.standing.Last, just.sight.At = &done, done.EndedAt.Add(-time.Minute)
	just.unseen = just.isUnseen()
	all["just_rolled_back"] = homeOf(just)
	after := seenApp(healthyStanding(func(hour func(float64, ...runbook.Fact)) {
		blocked(hour)
		hour(1, runbook.Observed{Images: imagesOf(services, 1)})
	}))
	after.standing.Last = &done
	q := after.standing.Quarantines
	q[0].Ticket = runbook.TicketState{Number: 12, URL: "https://github.com/acme/shop/issues/12"}
	after.standing.Quarantines = append(q, runbook.Quarantine{Rollback: "rb-fffffff1", At: asked.Add(-800 * time.Hour), Images: []runbook.Image{{Digest: imageOf("api", 4).Digest}}, Ticket: runbook.TicketState{Forgone: true}})
	after.links = map[string]string{done.ID: "https://acme.slack.com/archives/C0TEAM/p2", "rb-fffffff1": "https://acme.slack.com/archives/C0TEAM/p3"}
	after.unseen = after.isUnseen()
	all["rolled_back"] = homeOf(after)

	apart, unseen, lost, late, blind := seenApp(healthyStanding(nil)), homeApp{name: "new"}, homeApp{name: "lost", trouble: "How it stands can't be read from the database just now."}, seenApp(healthyStanding(nil)), seenApp(healthyStanding(nil))
	apart.name, apart.standing.Running, apart.standing.Apart = "apart", nil, "deploy@one api: ghcr.io/acme/shop/api@sha256:000270000000; deploy@two api: <!channel> built on the host"
	late.name, late.sight = "late", Sight{At: homeNow.Add(-time.Hour), Late: true}
	blind.name, blind.sight = "blind", Sight{Late: true}
	all["many"] = homeOf(seenApp(healthyStanding(nil)), apart, unseen, lost, late, blind, open)
	all["none"] = homeOf()
	all["guest"] = homeContent{closed: "guests don't count, only full members of the workspace do"}
	deaf := homeOf(seenApp(healthyStanding(nil)))
	deaf.listening.Socket = SocketState{Since: homeNow.Add(-time.Minute), Problem: "dial tcp: connection refused"}
	all["deaf"] = deaf
	fatal := homeOf(seenApp(healthyStanding(nil)))
	fatal.listening.Socket.Problem, fatal.listening.Socket.Remedy = "token_revoked", "make a new SLACK_APP_TOKEN"
	all["going_deaf"] = fatal
	return all
}

// hugeHome has so many apps, each with hundreds of releases and long and hostile names.
func hugeHome(t *testing.T, apps int) homeContent {
	long := hostile + strings.Repeat("🔥שלום", 60)
	c := homeOf()
	c.listening.Version, c.listening.Socket.Problem = long, long
	s := healthyStanding(func(hour func(float64, ...runbook.Fact)) {
		var images map[string]runbook.Image
		for n := range 300 {
			images = map[string]runbook.Image{}
			for service := range 12 {
				images[fmt.Sprintf("service-%d-%s", service, strings.Repeat("x", 40))] = runbook.Image{Name: "ghcr.io/acme/" + strings.Repeat("n", 200), Digest: runbook.Digest(fmt.Sprintf("sha256:%064x", n*100+service))}
			}
			hour(3, runbook.Deployed{Images: images, Version: fmt.Sprint(n, long), Migration: runbook.MigrationNone}, runbook.Observed{Images: images}, runbook.Verified{Images: images})
		}
		hour(1, runbook.HealthChanged{Images: images, Reason: long + strings.Repeat("f", 4000)})
	})
	var blocked []runbook.Image
	for n := range 40 {
		blocked = append(blocked, runbook.Image{Name: long, Digest: imageOf("api", n).Digest})
	}
	for n := range 40 {
		s.Quarantines = append(s.Quarantines, runbook.Quarantine{Rollback: fmt.Sprintf("rb-%d", n), At: asked, Images: blocked, Ticket: runbook.TicketState{Number: n + 1, URL: "https://github.com/" + strings.Repeat("u", 500)}})
	}
	story := hugeStory(t)
	open, last := story.rb, story.end(runbook.Failed, long+strings.Repeat("e", 5000)).rb
	s.Last = &last
	for i := range apps {
		app := homeApp{name: fmt.Sprintf("app-%d-%s", i, strings.Repeat("a", 200)), standing: s, sight: Sight{At: homeNow}, links: map[string]string{open.ID: "https://acme.slack.com/archives/C0TEAM/p2"}}
		if i%3 == 0 {
			app = app.opened(open)
		}
		c.apps = append(c.apps, app)
	}
	return c
}

func TestMessages_HomesAreAsInTestdata(t *testing.T) {
	all := goldenHomes(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var got bytes.Buffer
		encoder := json.NewEncoder(&got)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		if err := encoder.Encode(homeView(all[name])); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "homes", name+".json")
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s is not what the tab is now (%v); see the difference after `go test ./bot -run TestMessages -update`. It is:\n%s", file, err, got.Bytes())
		}
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "homes", "*.json"))
	for _, file := range files {
		if _, ok := all[strings.TrimSuffix(filepath.Base(file), ".json")]; !ok {
			t.Errorf("%s is no Home tab any more: remove it", file)
		}
	}
}

// homeLines is all text of a tab, a line for each text.
func homeLines(v slack.HomeTabViewRequest) string {
	text, _ := json.Marshal(v.Blocks)
	var blocks []any
	_ = json.Unmarshal(text, &blocks)
	var lines []string
	walk(blocks, func(n node) {
		if text, ok := n["text"].(string); ok {
			lines = append(lines, text)
		}
	})
	return strings.Join(lines, "\n")
}

func TestHomeView_KeepsSlacksLimits(t *testing.T) {
	all := goldenHomes(t)
	for _, apps := range []int{1, 20, 60} {
		all[fmt.Sprintf("huge_%d", apps)] = hugeHome(t, apps)
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			view := homeView(c)
			text, err := json.Marshal(view)
			if err != nil {
				t.Fatal(err)
			}
			if len(view.Blocks.BlockSet) == 0 || len(view.Blocks.BlockSet) > 100 || len(text) > 250_000 {
				t.Errorf("%d blocks in %d bytes, want 1 to 100 in at most 250,000", len(view.Blocks.BlockSet), len(text))
			}
			blocks := blocksOf(t, Message{Blocks: view.Blocks.BlockSet})
			walk(blocks, func(n node) {
				if n["type"] == "button" && n["action_id"] == actionHomePlan {
					if length(n["value"]) == 0 || length(n["value"]) > 2000 || length(n["accessibility_label"]) > 75 {
						t.Errorf("the button %v", n)
					}
					return
				}
				checkNode(t, n)
			})
		})
	}
}

func TestHomeView_WhatDoesNotFitIsCounted(t *testing.T) {
	c := hugeHome(t, 60)
	lines := homeLines(homeView(c))
	shown := strings.Count(lines, "Last rollback: ")
	if shown < 3 || !strings.Contains(lines, fmt.Sprintf("… and %d apps more: ", 60-shown)) {
		t.Errorf("%d apps are shown, and the rest is not counted:\n%s", shown, lines[max(0, len(lines)-1000):])
	}
	two := hugeHome(t, 2)
	lines = homeLines(homeView(two))
	releases := len(two.apps[1].standing.KnownGood) - 1 // the default is named first
	for _, part := range []string{
		fmt.Sprintf("; and %d more.", releases-(maxHomeReleases-1)), "and 37 more; ", "ticket #2", "… and 1520 images of 38 rollbacks more: ", "Last rollback: ", "The rollback failed",
	} {
		if !strings.Contains(lines, part) {
			t.Errorf("an app with %d releases doesn't say %q:\n%s", releases, part, lines)
		}
	}
	if strings.Contains(lines, "The rest is cut") {
		t.Error("an app with hundreds of everything is cut at its end")
	}
	lines = homeLines(homeView(homeOf(slices.Repeat([]homeApp{goldenHomes(t)["rolled_back"].apps[0]}, 20)...)))
	if n := strings.Count(lines, "Last rollback: "); n != 20 {
		t.Errorf("of twenty apps as they usually are %d are shown", n)
	}
}

// Every tab is taken by a Slack that checks views as Slack does.
func TestMessages_HomesAreTakenBySlack(t *testing.T) {
	s := localslack.New(localslack.Workspace{BotToken: "xoxb-test", Users: []localslack.User{{ID: "U1", Name: "ana"}}})
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	api := NewClient("xoxb-test", "xapp-test", s.APIURL())
	all := goldenHomes(t)
	all["huge_20"], all["huge_60"] = hugeHome(t, 20), hugeHome(t, 60)
	for name, c := range all {
		if _, err := api.PublishView("U1", homeView(c), ""); err != nil {
			t.Errorf("publish %s: %v", name, err)
		}
	}
}

// What somebody who may not look is shown says nothing of any app.
func TestHomeView_ToStrangersSaysOneSentence(t *testing.T) {
	c := goldenHomes(t)["rolled_back"]
	c.closed = "guests don't count, only full members of the workspace do"
	if got, want := strings.TrimSpace(homeLines(homeView(c))), "Nothing is shown here: "+c.closed+"."; got != want {
		t.Errorf("it shows %q, want %q", got, want)
	}
}

// The mark changes with what there is to know, and not with the time alone.
func TestHomeContent_MarkTellsNews(t *testing.T) {
	all := goldenHomes(t)
	seen := map[string]string{}
	for name, c := range all {
		mark := c.mark()
		if other, ok := seen[mark]; ok {
			t.Errorf("%s and %s have the same mark", name, other)
		}
		seen[mark] = name
		later := c
		later.at, later.listening.Heard = c.at.Add(time.Hour), c.at.Add(time.Hour)
		later.apps = slices.Clone(c.apps)
		for i := range later.apps {
			later.apps[i].sight.At = later.apps[i].sight.At.Add(time.Hour)
		}
		if later.mark() != mark {
			t.Errorf("%s: an hour later the mark is another one", name)
		}
	}
}
