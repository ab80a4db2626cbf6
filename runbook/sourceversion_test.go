package runbook

import (
	"testing"
)

func TestSourceVersion(t *testing.T) {
	all := []SourceDeployment{{Commit: commit1, Version: "v1.0"}, {Commit: commit1, Version: "main"}, {Commit: commit1, Version: "1.1"}, {Commit: commit2, Version: "1.1"}}
	for i, want := range []string{"v1.0", "", "", ""} {
		if got := sourceVersion(all, all[i]); got != want {
			t.Errorf("%+v: %q, want %q", all[i], got, want)
		}
	}
	if _, found := deploymentOf([]SourceDeployment{{Commit: "abcdef01"}, {Commit: "abcdef02"}}, "abcdef0"); found {
		t.Error("an abbreviation of two commits is taken for one")
	}
	if d, found := deploymentOf([]SourceDeployment{{Commit: commit1, Run: true}, {Commit: commit1, Author: "ana"}}, commit1[:8]); !found || d.Author != "ana" {
		t.Errorf("got %+v, %t: a deployment says more than a run", d, found)
	}
}
