package history

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// random makes entries of an app's life, as they come: not all that could follow, but all kinds that a history is made of.
func random(chance *rand.Rand) runbook.Entry {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC).Add(time.Duration(chance.IntN(1e6)) * time.Second) // clocks jump
	images := runbooktest.Release(1 + chance.IntN(8))
	rollback := "rb-" + string(rune('a'+chance.IntN(26)))
	facts := []runbook.Fact{
		runbook.Deployed{Images: images, Version: "v " + string(rune('0'+chance.IntN(9))) + "ü", Commit: "3f2c", Migration: runbook.MigrationNone}, runbook.Observed{Images: images}, runbook.Verified{Images: images},
		runbook.Diverged{Detail: "x"}, runbook.Quarantined{Images: []runbook.Image{images["api"], images["web"]}}, runbook.Lifted{Digest: images["api"].Digest}, runbook.LockRequested{By: "x"},
		runbook.Requested{Request: runbook.Request{At: at, By: "U1", Reason: "5 6 7\n12 "}, Plan: runbook.Plan{Target: runbook.Release{Version: "v3"}}}, runbook.Replanned{Plan: runbook.Plan{Running: "v2"}}, runbook.Ended{Outcome: runbook.Succeeded},
		runbook.Described{Images: images, Labels: labelled(images["api"].Digest.Short()[9:], "v1"), Commit: images["api"].Digest.Short()[9:], Author: "ana", Missing: []string{"x"}},
	}
	return runbook.Entry{App: "shop", Rollback: rollback, At: at, Facts: []runbook.Fact{facts[chance.IntN(len(facts))]}}
}

func mustHistory(t *testing.T, c *Chronicle, j runbook.Journal) History {
	t.Helper()
	history, err := c.History(t.Context(), j, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return history
}

// whole is the history as a process finds it that reads the whole journal.
func whole(t *testing.T, j runbook.Journal) History {
	t.Helper()
	events, err := j.Events(t.Context(), "shop", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return New(events)
}

// Whenever it is asked, and whoever has written meanwhile, a chronicle says what the whole journal says; and what it said
// before stays as it was.
func TestChronicle_SaysWhatTheJournalSays(t *testing.T) {
	for seed := range uint64(50) {
		chance := rand.New(rand.NewPCG(seed, 0))
		j, c := runbooktest.NewMemoryStore(), &Chronicle{}
		var before History
		var said string
		for range 200 {
			entry := random(chance)
			delete(j.Opened, "shop")
			if _, err := j.Append(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
			if chance.IntN(3) > 0 {
				continue
			}
			if before.encode() != said && said != "" {
				t.Fatalf("seed %d: a history that was given changed:\n%s\nwas\n%s", seed, before.encode(), said)
			}
			before = mustHistory(t, c, j)
			if said = before.encode(); said != whole(t, j).encode() {
				t.Fatalf("seed %d: the chronicle says\n%s\nthe journal\n%s", seed, said, whole(t, j).encode())
			}
			again, err := decodeHistory(said)
			if err != nil || again.encode() != said {
				t.Fatalf("seed %d: there and back: %v\n%s\nwas\n%s", seed, err, again.encode(), said)
			}
		}
	}
}

// A database restored from yesterday is another journal, though it is in the same place.
func TestChronicle_BeginsAnewOnAnotherJournal(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 1))
	j, c := runbooktest.NewMemoryStore(), &Chronicle{}
	fill := func(n int) {
		for range n {
			delete(j.Opened, "shop")
			if _, err := j.Append(t.Context(), random(chance)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(100)
	mustHistory(t, c, j)
	for name, restore := range map[string]func(){
		"shorter": func() { j.Kept["shop"] = j.Kept["shop"][:40] },
		"as long, with other events": func() {
			j.Kept["shop"] = j.Kept["shop"][:10]
			fill(90)
			for i := 10; i < len(j.Kept["shop"]); i++ {
				j.Kept["shop"][i].Hash = strings.Repeat("f", 64)
			}
		},
		"empty": func() { delete(j.Kept, "shop") },
	} {
		restore()
		if got, want := mustHistory(t, c, j).encode(), whole(t, j).encode(); got != want {
			t.Errorf("%s: it says\n%s\nthe journal\n%s", name, got, want)
		}
		fill(100)
		mustHistory(t, c, j)
	}
}

// memos are kept in memory.
type memos map[string]Memo

func (m memos) Memo(_ context.Context, app, kind string) (Memo, error) { return m[app+kind], nil }

func (m memos) KeepMemo(_ context.Context, app string, memo Memo) error {
	m[app+memo.Kind] = memo
	return nil
}

func TestChronicle_WhatIsKeptIsNoMoreThanTheJournal(t *testing.T) {
	chance := rand.New(rand.NewPCG(2, 2))
	j, kept := runbooktest.NewMemoryStore(), memos{}
	for range 2 * keepAfter {
		delete(j.Opened, "shop")
		if _, err := j.Append(t.Context(), random(chance)); err != nil {
			t.Fatal(err)
		}
	}
	mustHistory(t, &Chronicle{Memos: kept, Keep: true}, j)
	memo := kept["shop"+memoKind]
	if memo.Body != whole(t, j).encode() {
		t.Errorf("kept is\n%s", memo.Body)
	}
	for range 100 {
		delete(j.Opened, "shop")
		if _, err := j.Append(t.Context(), random(chance)); err != nil {
			t.Fatal(err)
		}
	}
	if err := CheckMemo(t.Context(), j, kept, "shop"); err != nil {
		t.Error(err)
	}
	forged := memos{"shop" + memoKind: {Kind: memoKind, Place: memo.Place, Body: strings.Replace(memo.Body, "9 succeeded", "6 failed", 1)}}
	if err := CheckMemo(t.Context(), j, forged, "shop"); err == nil {
		t.Error("a forged memo is found to be as the journal says")
	}
	want := whole(t, j).encode()
	for name, body := range map[string]string{
		"as it is": memo.Body, "nothing": "", "rubbish": "rubbish", "cut off": memo.Body[:len(memo.Body)/2], "too long": memo.Body + "1 ", "negative": "0 -5 ",
		"huge": "0 9223372036854775807 ", "a lie about its length": "0 99999999 1 x",
	} {
		kept["shop"+memoKind] = Memo{Kind: memoKind, Place: memo.Place, Body: body}
		if got := mustHistory(t, &Chronicle{Memos: kept, Read: true}, j).encode(); got != want {
			t.Errorf("%s: it says\n%s\nthe journal\n%s", name, got, want)
		}
	}
	kept["shop"+memoKind] = Memo{Kind: memoKind, Place: runbook.Place{Seq: memo.Place.Seq, Hash: "of another chain"}, Body: memo.Body}
	if got := mustHistory(t, &Chronicle{Memos: kept, Read: true}, j).encode(); got != want {
		t.Errorf("of another chain: it says\n%s\nthe journal\n%s", got, want)
	}
}

func FuzzDecodeHistory(f *testing.F) {
	f.Add("")
	f.Add(New(nil).encode())
	f.Add(New([]runbook.Event{{Fact: runbook.Deployed{Images: runbooktest.Release(1), Version: "v1"}}, {Fact: runbook.Quarantined{Images: []runbook.Image{runbooktest.Release(1)["api"]}}, Rollback: "rb-a"}, {Fact: runbook.Diverged{}}}).encode())
	f.Fuzz(func(t *testing.T, body string) {
		if h, err := decodeHistory(body); err == nil {
			if again, err := decodeHistory(h.encode()); err != nil || again.encode() != h.encode() {
				t.Errorf("%q: there and back: %v", body, err)
			}
		}
	})
}
