package bot_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// past is what was seen of the shop: v1 ran healthy for two days, v2 for an hour, v3 was rolled back, the images of v0 are
// gone, and v4 runs and fails.
func past() []runbook.Event {
	at := func(hours int) time.Time { return formNow.Add(-time.Duration(hours) * time.Hour) }
	images := func(digit string) map[string]runbook.Image { return map[string]runbook.Image{"api": image(digit)} }
	var events []runbook.Event
	add := func(hours int, facts ...runbook.Fact) {
		for _, fact := range facts {
			events = append(events, runbook.Event{App: "shop", Rollback: "rb-old", At: at(hours), Fact: fact})
		}
	}
	note := func(version, digit string) runbook.Fact {
		return runbook.Deployed{Images: images(digit), Version: version, Migration: runbook.MigrationNone}
	}
	add(100, note("v0", "a"), runbook.Observed{Images: images("a")}, runbook.Verified{Images: images("a")})
	add(72, note("v1", "1"), runbook.Observed{Images: images("1")}, runbook.Verified{Images: images("1")})
	add(24, note("v2", "2"), runbook.Observed{Images: images("2")}, runbook.Verified{Images: images("2")})
	add(23, runbook.HealthChanged{Images: images("2"), Reason: "http://one/health answers 503"})
	add(20, note("v3", "3"), runbook.Observed{Images: images("3")}, runbook.Quarantined{Images: []runbook.Image{image("3")}})
	add(2, runbook.ImagesChecked{Release: runbook.ReleaseID(images("a")), Images: images("a"), Gone: []runbook.Image{image("a")}})
	add(1, note("v4", "4"), runbook.Observed{Images: images("4")}, runbook.HealthChanged{Images: images("4"), Reason: "http://one/health answers 500"})
	return events
}

func TestForm_Golden(t *testing.T) {
	t.Run("filled", func(t *testing.T) {
		b := build(t)
		b.runner.history = past()
		b.start()
		golden(t, "filled", b.opened(ana))
	})
	t.Run("empty", func(t *testing.T) { golden(t, "empty", build(t).start().opened(ana)) })
	t.Run("apps", func(t *testing.T) { golden(t, "apps", build(t, "shop", "blog").start().opened(ana)) })
	t.Run("opened", func(t *testing.T) {
		b := build(t)
		b.slack.Fault(func(c localslack.Call) *localslack.Fault {
			if c.Method == "views.update" {
				return &localslack.Fault{Error: "hash_conflict"}
			}
			return nil
		})
		b.start()
		b.command(ana, "/rollback")
		b.wait("the form", func(now *localslack.Snapshot) bool { _, ok := now.OpenView(ana); return ok })
		view, _ := b.slack.OpenView(ana)
		golden(t, "opened", view)
	})
}

// golden compares a view as the local Slack took it, which refuses what Slack would.
func golden(t *testing.T, name string, v localslack.View) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, v.Blocks, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	path := filepath.Join("testdata", "forms", name+".json")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the form %s is\n%s\nrun with -update to take it over, and read the diff", name, got.Bytes())
	}
}

// More releases, longer names and longer evidence than Slack takes.
func TestForm_KeepsSlacksLimits(t *testing.T) {
	b := build(t)
	at := formNow.Add(-time.Hour)
	long := strings.Repeat("🔥שלום", 60)
	for i := range 300 {
		images := map[string]runbook.Image{}
		for s := range 12 {
			images[fmt.Sprintf("service-%d-%s", s, strings.Repeat("x", 30))] = runbook.Image{Name: "ghcr.io/acme/shop", Digest: runbook.Digest(fmt.Sprintf("sha256:%064x", i*100+s))}
		}
		add := func(facts ...runbook.Fact) {
			for _, fact := range facts {
				b.runner.history = append(b.runner.history, runbook.Event{App: "shop", Rollback: "rb-old", At: at, Fact: fact})
			}
		}
		add(runbook.Deployed{Images: images, Version: long + fmt.Sprint(i)}, runbook.Observed{Images: images}, runbook.Verified{Images: images})
		if i%2 == 0 {
			add(runbook.Quarantined{Images: []runbook.Image{images["service-0-"+strings.Repeat("x", 30)]}})
		}
		if i == 299 {
			add(runbook.HealthChanged{Images: images, Reason: strings.Repeat("<!channel> ", 500)})
		}
		at = at.Add(time.Second)
	}
	b.opens()
	b.start()
	view := b.opened(ana)
	if got := len(offered(t, view)); got != 100 {
		t.Fatalf("%d releases are offered, want 100\nlog:\n%s", got, b.log)
	}
	if ack := b.submit(ana, view, map[string]any{"release": offered(t, view)[99]}); len(ack.Errors) > 0 {
		t.Fatalf("errors %q", ack.Errors)
	}
	b.told(ana, "rb-one")
}
