package journal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// fourEvents makes a chain: a note, a request, an end, a note.
func fourEvents(t *testing.T, s *Store) {
	t.Helper()
	epoch, err := s.Acquire(t.Context(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
	mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Epoch: epoch, Actor: "U1", Facts: facts(requested(), runbook.Ended{Why: "done"})})
	mustAppend(t, s, runbook.Entry{Facts: facts(note("4"))})
	mustAppend(t, s, runbook.Entry{App: "other", Facts: facts(note("x"))})
}

func TestVerify_NamesTheFirstBrokenEvent(t *testing.T) {
	// A new value for one column of event 2.
	edits := map[string]string{
		"rollback": `'rb-2'`, "epoch": `0`, "at": `at + 1`, "kind": `'ended'`, "actor": `'U2'`, "cause": `'x'`,
		"body": `body || ' '`, "hash": `'00'`, "app": `'third'`,
	}
	cases := map[string]struct {
		sql []string
		seq int64
		why string
	}{
		"first removed":    {[]string{`DELETE FROM events WHERE app = 'shop' AND seq = 1`}, 1, "missing"},
		"middle removed":   {[]string{`DELETE FROM events WHERE app = 'shop' AND seq = 3`}, 3, "missing"},
		"last removed":     {[]string{`DELETE FROM events WHERE app = 'shop' AND seq = 4`}, 4, "missing"},
		"all removed":      {[]string{`DELETE FROM events WHERE app = 'shop'`}, 1, "missing"},
		"removed, closed":  {[]string{`DELETE FROM events WHERE app = 'shop' AND seq = 2`, `UPDATE events SET seq = seq + 97 WHERE app = 'shop' AND seq > 2`, `UPDATE events SET seq = seq - 98 WHERE app = 'shop' AND seq > 2`}, 2, "changed"},
		"reordered":        {[]string{`UPDATE events SET seq = 99 WHERE app = 'shop' AND seq = 2`, `UPDATE events SET seq = 2 WHERE app = 'shop' AND seq = 3`, `UPDATE events SET seq = 3 WHERE app = 'shop' AND seq = 99`}, 2, "exchanged"},
		"added before":     {[]string{`INSERT INTO events SELECT app, 0, rollback, epoch, at, kind, actor, cause, body, hash FROM events WHERE app = 'shop' AND seq = 1`}, 0, "added"},
		"added at the end": {[]string{`INSERT INTO events SELECT app, 5, rollback, epoch, at, kind, actor, cause, body, hash FROM events WHERE app = 'shop' AND seq = 4`}, 5, "added"},
		"from another app": {[]string{`DELETE FROM events WHERE app = 'shop' AND seq = 1`, `UPDATE events SET app = 'shop' WHERE app = 'other'`}, 1, "exchanged"},
		"head changed":     {[]string{`UPDATE apps SET head = 'x' WHERE app = 'shop'`}, 4, "head"},
		"end cut off":      {[]string{`UPDATE apps SET seq = 3 WHERE app = 'shop'`}, 4, "beyond the end"},
		"app removed":      {[]string{`DELETE FROM apps WHERE app = 'shop'`}, 1, "beyond the end"},
		"epoch lowered":    {[]string{`UPDATE apps SET epoch = 0 WHERE app = 'shop'`}, 4, "epoch"},
		"opened":           {[]string{`INSERT INTO open_rollbacks (app, rollback) VALUES ('shop', 'rb-9')`}, 4, "no rollback open, by the list of open rollbacks rb-9"},
	}
	for column, value := range edits {
		c := cases[column]
		c.sql, c.seq, c.why = []string{fmt.Sprintf(`UPDATE events SET %s = %s WHERE app = 'shop' AND seq = 2`, column, value)}, 2, "hash"
		if column == "app" {
			c.why = "missing"
		}
		cases[column] = c
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBothStores(t, func(t *testing.T, s *Store) {
				fourEvents(t, s)
				mustVerify(t, s, "shop")
				for _, statement := range c.sql {
					mustExec(t, s, statement)
				}
				err := s.Verify(t.Context(), "shop")
				var broken *BrokenError
				if !errors.As(err, &broken) {
					t.Fatalf("got %v, want a *BrokenError", err)
				}
				if broken.App != "shop" || broken.Seq != c.seq || !strings.Contains(broken.Why, c.why) {
					t.Errorf("got %v; want event %d, %q", err, c.seq, c.why)
				}
			})
		})
	}
}

func TestVerify_OpenRollbackRemoved(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Facts: facts(requested())})
		mustVerify(t, s, "shop")
		mustExec(t, s, `DELETE FROM open_rollbacks`)
		hasAll(t, s.Verify(t.Context(), "shop"), "has rb-1 open, by the list of open rollbacks no rollback")
	})
}

func TestVerify_NoChain(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustVerify(t, s, "shop")
		if _, err := s.Acquire(t.Context(), "shop", 0); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, s, "shop")
		if head, err := s.Head(t.Context(), "shop"); head != "" || err != nil {
			t.Errorf("Head = %q, %v", head, err)
		}
	})
}

func TestExport_ProvesItself(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		fourEvents(t, s)
		var out bytes.Buffer
		if err := s.Export(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		heads, err := VerifyExport(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range []string{"shop", "other"} {
			if head, err := s.Head(t.Context(), app); err != nil || head == "" || heads[app] != head {
				t.Errorf("the head of %s is %q, %v; in the export %q", app, head, err, heads[app])
			}
		}
		lines := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 5 || !strings.HasPrefix(lines[0], `{"v":1,"app":"other","seq":1,"rollback":"","epoch":0,"at":"2026-05-04T01:02:01.123456Z","kind":"diverged","actor":"","cause":"","body":{"detail":"x"},"hash":"`) {
			t.Fatalf("exported\n%s", out.String())
		}

		var broken *BrokenError
		if _, err := VerifyExport(strings.NewReader(lines[0] + lines[1] + lines[3])); !errors.As(err, &broken) || broken.Seq != 2 {
			t.Errorf("a line left out: %v", err)
		}
		if _, err := VerifyExport(strings.NewReader(strings.Replace(out.String(), "U1", "U2", 1))); !errors.As(err, &broken) || broken.Seq != 2 {
			t.Errorf("a line changed: %v", err)
		}
		for name, text := range map[string]string{
			"not JSON":       "rubbish\n",
			"spaces":         strings.Replace(lines[0], `,"app"`, `, "app"`, 1),
			"another format": strings.Replace(lines[0], `"v":1`, `"v":2`, 1),
			"a member more":  strings.Replace(lines[0], `"v":1`, `"v":1,"w":1`, 1),
			"two in one":     strings.TrimSpace(lines[0]) + lines[1],
		} {
			if _, err := VerifyExport(strings.NewReader(text)); err == nil {
				t.Errorf("%s was taken", name)
			}
		}

		out.Reset()
		if err := s.Export(t.Context(), &out, "other"); err != nil || out.String() != lines[0] {
			t.Errorf("one app: %v\n%s", err, out.String())
		}
		mustExec(t, s, `UPDATE events SET body = $1 WHERE app = 'other'`, "{},\"hash\":\"x\"}\n{}")
		if err := s.Export(t.Context(), &out, "other"); !errors.As(err, &broken) {
			t.Errorf("a body of two lines: %v", err)
		}
	})
}

type fullDisk struct{}

var errFull = errors.New("no space")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestExport_WriterFails(t *testing.T) {
	s := open(t, sqliteURL(t))
	fourEvents(t, s)
	if err := s.Export(t.Context(), fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

func TestApps(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		fourEvents(t, s)
		mustExec(t, s, `DELETE FROM apps WHERE app = 'other'`)
		if got, err := s.Apps(t.Context()); fmt.Sprint(got) != "[other shop]" || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// Nobody acts on a chain that was edited; other apps go on.
func TestAcquire_RefusesABrokenChain(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		fourEvents(t, s)
		mustExec(t, s, `UPDATE events SET actor = 'U9' WHERE app = 'shop' AND seq = 2`)
		_, err := s.Acquire(t.Context(), "shop", 0)
		var broken *BrokenError
		if !errors.As(err, &broken) || broken.Seq != 2 || !errors.Is(err, runbook.ErrBrokenJournal) {
			t.Errorf("got %v", err)
		}
		hasAll(t, err, "docs/survival.md")
		if n := count(t, s, `SELECT epoch FROM apps WHERE app = 'shop'`); n != 1 {
			t.Errorf("its epoch is %d, want 1 as before", n)
		}
		if epoch, err := s.Acquire(t.Context(), "other", 0); epoch != 1 || err != nil {
			t.Errorf("the other app: %d, %v", epoch, err)
		}
	})
}

// What a process has proven is not proven again by whoever takes the app over; what came since is.
func TestAcquire_ProvesWhatIsNew(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		fourEvents(t, s)
		if _, err := s.Acquire(t.Context(), "shop", 0); err != nil {
			t.Fatal(err)
		}
		mustExec(t, s, `UPDATE events SET actor = 'U9' WHERE app = 'shop' AND seq = 2`)
		if _, err := s.Acquire(t.Context(), "shop", 0); err != nil {
			t.Errorf("events that were proven are read again: %v", err)
		}
		events := mustAppend(t, s, runbook.Entry{Facts: facts(note("new"))})
		mustExec(t, s, fmt.Sprintf(`UPDATE events SET actor = 'U9' WHERE app = 'shop' AND seq = %d`, events[0].Seq))
		var broken *BrokenError
		if _, err := s.Acquire(t.Context(), "shop", 0); !errors.As(err, &broken) || broken.Seq != events[0].Seq {
			t.Errorf("got %v, want a *BrokenError at %d", err, events[0].Seq)
		}
		if err := s.Verify(t.Context(), "shop"); !errors.As(err, &broken) || broken.Seq != 2 {
			t.Errorf("got %v, want a *BrokenError at 2", err)
		}
	})
}
