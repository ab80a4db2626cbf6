package history

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

func TestBuildOf(t *testing.T) {
	for _, c := range []struct {
		revision, version string
		want              runbook.Build
	}{
		{runbooktest.Commit1, "v1.2", runbook.Build{Version: "v1.2", Commit: runbooktest.Commit1}},
		{" 3F2C1AB ", "v1.2\n", runbook.Build{Version: "v1.2", Commit: "3f2c1ab"}},
		{"", "22.04", runbook.Build{}},
		{"3f2c1a", "v1", runbook.Build{}},
		{"main", "v1", runbook.Build{}},
		{strings.Repeat("a", 65), "v1", runbook.Build{}},
		{runbooktest.Commit1, strings.Repeat("v", 101), runbook.Build{Version: "", Commit: runbooktest.Commit1}},
		{runbooktest.Commit1, "v1\x1b[2J", runbook.Build{Version: "", Commit: runbooktest.Commit1}},
		{runbooktest.Commit1, "v1\u202e2v", runbook.Build{Version: "", Commit: runbooktest.Commit1}},
		{runbooktest.Commit1, "ghp_averysecrettoken00000", runbook.Build{Version: "", Commit: runbooktest.Commit1}},
		{runbooktest.Commit1, "previous", runbook.Build{Version: "", Commit: runbooktest.Commit1}},
		{runbooktest.Commit1, "r-0123456789ab", runbook.Build{Version: "", Commit: runbooktest.Commit1}},
		{runbooktest.Commit1, "<!channel> *v1*", runbook.Build{Version: "<!channel> *v1*", Commit: runbooktest.Commit1}}, // shown as it is, with no meaning in Slack
	} {
		if got := BuildOf(c.revision, c.version); got != c.want {
			t.Errorf("buildOf(%q, %q) = %q, want %q", c.revision, c.version, got, c.want)
		}
	}
}

func labelled(commit, version string) map[string]runbook.Build {
	return map[string]runbook.Build{"api": {Version: version, Commit: commit}, "web": {Version: version, Commit: commit}}
}

func TestDescribed_WhoWins(t *testing.T) {
	v1, v2 := runbooktest.Release(1), runbooktest.Release(2)
	source := runbook.Described{Images: v1, Labels: labelled(runbooktest.Commit1, ""), Commit: runbooktest.Commit1, Version: "v1.0", Author: "ana", URL: "https://x/1"}
	for name, c := range map[string]struct {
		facts                   []runbook.Fact
		version, commit, untold string
	}{
		"labels":               {[]runbook.Fact{runbook.Observed{Images: v1}, runbook.Described{Images: v1, Labels: labelled(runbooktest.Commit1, "v1")}}, "v1", runbooktest.Commit1, ""},
		"the source's version": {[]runbook.Fact{source}, "v1.0", runbooktest.Commit1, ""},
		"a label's version":    {[]runbook.Fact{runbook.Described{Images: v1, Labels: labelled(runbooktest.Commit1, "v1"), Commit: runbooktest.Commit1, Version: "v1.0"}}, "v1", runbooktest.Commit1, ""},
		"a note before":        {[]runbook.Fact{runbook.Deployed{Images: v1, Version: "noted", Commit: "abcdef0"}, source}, "noted", "abcdef0", ""},
		"a note after":         {[]runbook.Fact{source, runbook.Deployed{Images: v1, Version: "noted", Commit: "abcdef0"}}, "noted", "abcdef0", ""},
		"a note without them":  {[]runbook.Fact{source, runbook.Deployed{Images: v1}}, "v1.0", runbooktest.Commit1, ""},
		"different commits":    {[]runbook.Fact{runbook.Described{Images: v1, Labels: map[string]runbook.Build{"api": {Version: "v1", Commit: runbooktest.Commit1}, "web": {Version: "v1", Commit: runbooktest.Commit2}}}}, "", "", "built from different commits: api 3f2c1ab04d5e, web 81aa1ab04d5e"},
		"inherited":            {[]runbook.Fact{source, runbook.Described{Images: v2, Labels: labelled(runbooktest.Commit1, "v1")}}, "", "", "another release has the same commit"},
		"missing":              {[]runbook.Fact{runbook.Described{Images: v1, Labels: labelled(runbooktest.Commit1, "v1"), Missing: []string{"what GitHub says"}}}, "v1", runbooktest.Commit1, "what GitHub says"},
	} {
		var events []runbook.Event
		for i, fact := range c.facts {
			events = append(events, runbook.Event{Seq: int64(i + 1), At: time.Unix(int64(i), 0), Fact: fact})
		}
		history := New(events)
		again, err := decodeHistory(history.encode())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []History{history, again} {
			r, _ := h.Of(v1)
			if r.Version != c.version || r.Commit != c.commit || !strings.Contains(r.Untold, c.untold) || c.untold == "" && r.Untold != "" {
				t.Errorf("%s: %q, %q, untold %q; want %q, %q, %q", name, r.Version, r.Commit, r.Untold, c.version, c.commit, c.untold)
			}
			if strings.HasPrefix(name, "a note") && c.commit != runbooktest.Commit1 && r.Author != "" {
				t.Errorf("%s: %s is said of another commit", name, r.Author)
			}
		}
	}
}
