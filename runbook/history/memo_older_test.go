package history

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// longLife makes an entry of an app with hundreds of releases: mostly about a new one, now and then about one of any age.
func longLife(chance *rand.Rand, i int) runbook.Entry {
	n := 1 + i/2
	if chance.IntN(40) == 0 {
		n = 1 + chance.IntN(n)
	}
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC).Add(time.Duration(i) * time.Minute)
	images := runbooktest.Release(n)
	if chance.IntN(20) == 0 {
		images["web"] = runbooktest.Release(1 + chance.IntN(n))["web"] // what was there before, with something new
	}
	commit := fmt.Sprintf("%012x", n)
	facts := []runbook.Fact{
		runbook.Deployed{Images: images, Version: "v" + commit, Commit: "3f2c", Migration: runbook.MigrationNone}, runbook.Observed{Images: images, Hosts: []runbook.Host{"deploy@one"}, Tags: []string{"latest"}},
		runbook.Observed{Images: images}, runbook.Verified{Images: images}, runbook.Diverged{Detail: "x"}, runbook.Quarantined{Images: []runbook.Image{images["api"], images["web"]}}, runbook.Lifted{Digest: images["web"].Digest},
		runbook.Reconfigured{Images: images, ConfigHashes: map[string][]string{"api": {"x"}}}, runbook.HealthChanged{Images: images, Reason: "x"}, runbook.HealthChanged{Images: images, Healthy: true},
		runbook.ImagesChecked{Images: images, Gone: []runbook.Image{images["api"]}}, runbook.Described{Images: images, Labels: labelled(commit, "v1"), Commit: commit, Author: "ana", URL: "https://x", Missing: []string{"x"}},
		runbook.Requested{Request: runbook.Request{At: at, By: "U1", Reason: "x"}, Plan: runbook.Plan{Target: runbook.Release{Version: "v3"}}}, runbook.Replanned{Plan: runbook.Plan{Running: "v2"}}, runbook.Ended{Outcome: runbook.Succeeded},
	}
	return runbook.Entry{App: "shop", Rollback: "rb-" + string(rune('a'+chance.IntN(3))), At: at, Facts: []runbook.Fact{facts[chance.IntN(len(facts))]}}
}

// shown is what the command prints of a history.
func shown(h History) (lines []string) {
	lines = append(lines, h.Apart())
	releases := h.Releases()
	for _, r := range releases[:min(Recent, len(releases))] {
		lines = append(lines, runbook.Describe(r)+r.URL)
	}
	rollbacks := h.Rollbacks()
	for _, rb := range rollbacks[max(0, len(rollbacks)-Recent):] {
		lines = append(lines, rb.ID+rb.At.String()+rb.By+rb.From+rb.To+rb.Reason+string(rb.Outcome))
	}
	return lines
}

// Whatever is left out, what is shown is what the journal says, and what is kept next is what it would be without.
func TestMemo_LeavesOutWhatIsNotShown(t *testing.T) {
	var short, without int
	for seed := range uint64(3) {
		chance := rand.New(rand.NewPCG(seed, 3))
		j, kept := runbooktest.NewMemoryStore(), memos{}
		for i := range 1000 {
			delete(j.Opened, "shop")
			if _, err := j.Append(t.Context(), longLife(chance, i)); err != nil {
				t.Fatal(err)
			}
			if chance.IntN(20) > 0 {
				continue
			}
			c := &Chronicle{Memos: kept, Read: true}
			got, want := mustHistory(t, c, j), whole(t, j)
			says := shown(want)
			for line, text := range shown(got) {
				if text != says[line] {
					t.Fatalf("seed %d, event %d: shown is\n%s\nthe journal says\n%s", seed, i, text, says[line])
				}
			}
			if got.encode() != want.encode() {
				t.Fatalf("seed %d, event %d: kept would be\n%s\nwithout a memo\n%s", seed, i, got.encode(), want.encode())
			}
			switch {
			case got.Short():
				short++
			case len(want.releases) > Recent:
				without++
			}
			c.keep(t.Context(), "shop", c.chapter("shop"))
			if err := CheckMemo(t.Context(), j, kept, "shop"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if short < 30 || without < 10 {
		t.Errorf("a memo was enough %d times, and the journal was needed %d times: too few of one of them to tell", short, without)
	}
}
