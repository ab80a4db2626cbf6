package journal

import (
	"errors"
	"slices"
	"testing"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

var kindDiverged, kindLocked = runbook.Diverged{}.Kind(), runbook.LockRequested{}.Kind()

func seqs(events []runbook.Event) (list []int64) {
	for _, e := range events {
		list = append(list, e.Seq)
	}
	return list
}

func TestSince_GivesSomeKinds(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		const n = 2*pageSize + 10
		var all []runbook.Fact
		for range n {
			all = append(all, note("a"), runbook.LockRequested{By: "b"})
		}
		var written []runbook.Event
		for part := range slices.Chunk(all, pageSize) { // one entry of all of them would be a transaction such as the bot has none
			written = append(written, mustAppend(t, s, runbook.Entry{Facts: part})...)
		}
		mustAppend(t, s, runbook.Entry{App: "blog", Facts: facts(note("other"))})
		events, err := s.Since(t.Context(), "shop", runbook.Place{}, kindDiverged, "observed")
		if err != nil || len(events) != n || events[0].Seq != 1 || events[n-1].Seq != 2*n-1 || events[n-1].Hash != written[2*n-2].Hash {
			t.Fatalf("%d events, %v, want %d", len(events), err, n)
		}
		after := runbook.Place{Seq: written[2*n-4].Seq, Hash: written[2*n-4].Hash}
		events, err = s.Since(t.Context(), "shop", after, kindDiverged, kindLocked)
		if got := seqs(events); err != nil || len(got) != 3 || got[0] != 2*n-2 {
			t.Errorf("after %d: %v, %v", after.Seq, got, err)
		}
		if events, err := s.Since(t.Context(), "nowhere", runbook.Place{}, kindDiverged); err != nil || len(events) != 0 {
			t.Errorf("an app without a chain: %v, %v", events, err)
		}
		for _, place := range []runbook.Place{{Seq: 2*n + 1, Hash: after.Hash}, {Seq: after.Seq, Hash: written[0].Hash}, {Seq: after.Seq}} {
			if _, err := s.Since(t.Context(), "shop", place, kindDiverged); !errors.Is(err, runbook.ErrOtherChain) {
				t.Errorf("after %+v: %v", place, err)
			}
		}
	})
}

// What a newer version wrote is not passed over, though nobody asked for that kind.
func TestSince_UnknownKind(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustAppend(t, s, runbook.Entry{Facts: facts(note("a"), note("b"))})
		for _, kind := range []string{"aaa", "levitated", "zzz"} {
			mustExec(t, s, `UPDATE events SET kind = $1 WHERE seq = 2`, kind)
			_, err := s.Since(t.Context(), "shop", runbook.Place{}, "observed")
			hasAll(t, err, `"`+kind+`"`, "a newer version wrote it")
		}
	})
}

func TestMemo_IsKeptAndReplaced(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		if memo, err := s.Memo(t.Context(), "shop", "history/1"); err != nil || memo.Body != "" || memo.Place != (runbook.Place{}) {
			t.Errorf("before: %+v, %v", memo, err)
		}
		for _, want := range []history.Memo{
			{Kind: "history/1", Place: runbook.Place{Seq: 9, Hash: "abc"}, Body: "1 2 äx"}, {Kind: "history/1", Place: runbook.Place{Seq: 3, Hash: "def"}, Body: "other"},
		} {
			if err := s.KeepMemo(t.Context(), "shop", want); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Memo(t.Context(), "shop", "history/1"); err != nil || got != want {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		}
		if memo, err := s.Memo(t.Context(), "shop", "history/2"); err != nil || memo.Body != "" {
			t.Errorf("another kind: %+v, %v", memo, err)
		}
	})
}
