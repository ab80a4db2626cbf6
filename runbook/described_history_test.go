package runbook

import (
	"strings"
	"testing"
	"time"
)

func TestBuildOf(t *testing.T) {
	for _, c := range []struct {
		revision, version string
		want              Build
	}{
		{commit1, "v1.2", Build{"v1.2", commit1}},
		{" 3F2C1AB ", "v1.2\n", Build{"v1.2", "3f2c1ab"}},
		{"", "22.04", Build{}},
		{"3f2c1a", "v1", Build{}},
		{"main", "v1", Build{}},
		{strings.Repeat("a", 65), "v1", Build{}},
		{commit1, strings.Repeat("v", 101), Build{"", commit1}},
		{commit1, "v1\x1b[2J", Build{"", commit1}},
		{commit1, "v1\u202e2v", Build{"", commit1}},
		{commit1, "ghp_averysecrettoken00000", Build{"", commit1}},
		{commit1, "previous", Build{"", commit1}},
		{commit1, "r-0123456789ab", Build{"", commit1}},
		{commit1, "<!channel> *v1*", Build{"<!channel> *v1*", commit1}}, // shown as it is, with no meaning in Slack
	} {
		if got := buildOf(c.revision, c.version); got != c.want {
			t.Errorf("buildOf(%q, %q) = %q, want %q", c.revision, c.version, got, c.want)
		}
	}
}

func labelled(commit, version string) map[string]Build {
	return map[string]Build{"api": {version, commit}, "web": {version, commit}}
}

func TestDescribed_WhoWins(t *testing.T) {
	v1, v2 := release(1), release(2)
	source := Described{Images: v1, Labels: labelled(commit1, ""), Commit: commit1, Version: "v1.0", Author: "ana", URL: "https://x/1"}
	for name, c := range map[string]struct {
		facts                   []Fact
		version, commit, untold string
	}{
		"labels":               {[]Fact{Observed{Images: v1}, Described{Images: v1, Labels: labelled(commit1, "v1")}}, "v1", commit1, ""},
		"the source's version": {[]Fact{source}, "v1.0", commit1, ""},
		"a label's version":    {[]Fact{Described{Images: v1, Labels: labelled(commit1, "v1"), Commit: commit1, Version: "v1.0"}}, "v1", commit1, ""},
		"a note before":        {[]Fact{Deployed{Images: v1, Version: "noted", Commit: "abcdef0"}, source}, "noted", "abcdef0", ""},
		"a note after":         {[]Fact{source, Deployed{Images: v1, Version: "noted", Commit: "abcdef0"}}, "noted", "abcdef0", ""},
		"a note without them":  {[]Fact{source, Deployed{Images: v1}}, "v1.0", commit1, ""},
		"different commits":    {[]Fact{Described{Images: v1, Labels: map[string]Build{"api": {"v1", commit1}, "web": {"v1", commit2}}}}, "", "", "built from different commits: api 3f2c1ab04d5e, web 81aa1ab04d5e"},
		"inherited":            {[]Fact{source, Described{Images: v2, Labels: labelled(commit1, "v1")}}, "", "", "another release has the same commit"},
		"missing":              {[]Fact{Described{Images: v1, Labels: labelled(commit1, "v1"), Missing: []string{"what GitHub says"}}}, "v1", commit1, "what GitHub says"},
	} {
		var events []Event
		for i, fact := range c.facts {
			events = append(events, Event{Seq: int64(i + 1), At: time.Unix(int64(i), 0), Fact: fact})
		}
		history := NewHistory(events)
		again, err := decodeHistory(history.encode())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []History{history, again} {
			r, _ := h.Of(v1)
			if r.Version != c.version || r.Commit != c.commit || !strings.Contains(r.Untold, c.untold) || c.untold == "" && r.Untold != "" {
				t.Errorf("%s: %q, %q, untold %q; want %q, %q, %q", name, r.Version, r.Commit, r.Untold, c.version, c.commit, c.untold)
			}
			if strings.HasPrefix(name, "a note") && c.commit != commit1 && r.Author != "" {
				t.Errorf("%s: %s is said of another commit", name, r.Author)
			}
		}
	}
}
