package journal

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"

	"rollbackbot/runbook"
)

// CheckDisk judges where the database of that URL is kept. kind tells the volatile file system of a folder; nil: it is asked
// of the kernel.
func CheckDisk(databaseURL string, kind func(folder string) string) runbook.Finding {
	const about = "the database's disk"
	path, sqlite := strings.CutPrefix(databaseURL, "sqlite:")
	if !sqlite {
		return runbook.NotChecked(about, "that is the PostgreSQL server's affair")
	}
	if kind == nil {
		if runtime.GOOS != "linux" {
			return runbook.NotChecked(about, "that can only be told on Linux")
		}
		kind = volatile
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return runbook.NotChecked(about, "the file can't be found")
	}
	if what := kind(filepath.Dir(real)); what != "" {
		return runbook.FoundWrong(about, "Point ROLLBACK_DATABASE_URL at a folder on a disk, in a container at a volume", "the file is on %s: it is lost with the next restart", what)
	}
	return runbook.FoundFine(about, "the file is on a file system that outlives a restart")
}

// CheckChain proves an app's hash chain.
func (s *Store) CheckChain(app string) runbook.Check {
	about := "journal of " + app
	return runbook.Check{About: about, Run: func(ctx context.Context) []runbook.Finding {
		if err := s.Verify(ctx, app); err != nil {
			return []runbook.Finding{runbook.FoundWrong(about, "Look at it with `rollbackbot audit verify`, and restore the database from a backup", "%v", err)}
		}
		return []runbook.Finding{runbook.FoundFine(about, "its hash chain is whole")}
	}}
}
