package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

func TestSentence(t *testing.T) {
	busy := newStory(t).broken().rb
	_, usage := Parse("shop v1")
	for _, c := range []struct {
		err  error
		want []string
	}{
		{usage, []string{"not understood", "`/rollback shop to v1`"}},
		{&runbook.PreflightError{Problems: []runbook.Problem{{Host: "deploy@one", What: "no compose file", Remedy: "Set DIR"}, {What: "x", Remedy: "y"}}},
			[]string{"nothing was changed", "deploy@one: no compose file. Set DIR.", "x. y."}},
		{&runbook.TargetError{Why: `there is no release "v9"`, Candidates: []runbook.Release{{ID: "r-1", Version: "v1"}}}, []string{`There is no release "v9".`, "v1 (r-1)"}},
		{&runbook.AlreadyRunningError{App: "shop", Release: runbook.Release{Version: "v1"}}, []string{"shop runs v1 already"}},
		{&runbook.BusyError{Rollback: busy}, []string{"rb-7q2mzk4x", "<@U0ONCALL>", "2026-07-01 12:00:00 UTC", "It waits for an answer"}},
		{&runbook.OpenError{App: "shop", Rollback: "rb-1"}, []string{"rb-1"}},
		{&runbook.RefusedError{Why: "Only leads can."}, []string{"Only leads can."}},
		{errors.Join(&runbook.RefusedError{Why: "Only leads can."}, errors.New("journal is gone")), []string{"Only leads can."}},
		{&runbook.UnknownAppError{Name: "<!channel>", Apps: []string{"blog", "shop"}}, []string{"blog, shop"}},
		{&runbook.UnknownAppError{Name: "x"}, []string{"none is configured"}},
		{&runbook.UnknownRollbackError{ID: "rb-9"}, []string{"rb-9", "/rollback status"}},
		{&runbook.HostError{Host: "deploy@one", Problem: "the host key is another one", Remedy: "compare it"}, []string{"deploy@one: The host key is another one. Compare it."}},
		{fmt.Errorf("read: %w", runbook.ErrLost), []string{"connection"}},
		{&runbook.RetryError{After: 2 * time.Minute}, []string{"2 min"}},
		{fmt.Errorf("post: %w", &SlackError{Code: "not_in_channel", Remedy: "invite it"}), []string{"not_in_channel", "invite it"}},
		{runbook.ErrNotOpen, []string{"not open any more"}},
		{fmt.Errorf("take over: %w", runbook.ErrBrokenJournal), []string{"audit verify", "plan APP"}},
		{runbook.ErrStaleEpoch, []string{"Another process"}},
		{context.DeadlineExceeded, []string{"too long"}},
		{&runbook.ImageError{Ref: "x:1", Why: "a tag can be moved"}, []string{"x:1", "a tag can be moved"}},
	} {
		got := Sentence(c.err)
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("Sentence(%T) = %q, want %q in it", c.err, got, part)
			}
		}
	}
}

func TestSentence_SaysNothingOfTheInside(t *testing.T) {
	got := Sentence(errors.New("sqlite: disk I/O error at /var/lib/rollbackbot.db with password=hunter2"))
	if strings.Contains(got, "sqlite") || strings.Contains(got, "hunter2") || !strings.Contains(got, "nothing was changed") {
		t.Errorf("Sentence = %q", got)
	}
}
