package watch

import (
	"testing"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

func TestSourceVersion(t *testing.T) {
	all := []runbook.SourceDeployment{{Commit: runbooktest.Commit1, Version: "v1.0"}, {Commit: runbooktest.Commit1, Version: "main"}, {Commit: runbooktest.Commit1, Version: "1.1"}, {Commit: runbooktest.Commit2, Version: "1.1"}}
	for i, want := range []string{"v1.0", "", "", ""} {
		if got := sourceVersion(all, all[i]); got != want {
			t.Errorf("%+v: %q, want %q", all[i], got, want)
		}
	}
	if _, found := deploymentOf([]runbook.SourceDeployment{{Commit: "abcdef01"}, {Commit: "abcdef02"}}, "abcdef0"); found {
		t.Error("an abbreviation of two commits is taken for one")
	}
	if d, found := deploymentOf([]runbook.SourceDeployment{{Commit: runbooktest.Commit1, Run: true}, {Commit: runbooktest.Commit1, Author: "ana"}}, runbooktest.Commit1[:8]); !found || d.Author != "ana" {
		t.Errorf("got %+v, %t: a deployment says more than a run", d, found)
	}
}
