package parts

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// debianPostgreSQL is where Debian keeps the server's programs, by major version. They are on nobody's PATH.
const debianPostgreSQL = "/usr/lib/postgresql"

// postgreSQLFolder is the folder of initdb, pg_ctl and postgres. It ends the test as missing its part without them.
func postgreSQLFolder(tb testing.TB) string {
	tb.Helper()
	folder, err := findPostgreSQL(debianPostgreSQL)
	if err != nil {
		missing(tb, "PostgreSQL", err.Error())
	}
	return folder
}

func findPostgreSQL(versions string) (folder string, err error) {
	for _, folder := range postgreSQLFolders(versions) {
		if hasPostgreSQL(folder) {
			return folder, nil
		}
	}
	return "", fmt.Errorf("no initdb, pg_ctl and postgres on PATH or in %s/*/bin", versions)
}

// postgreSQLFolders are the places to look at: PATH's first, then the newest of Debian's.
func postgreSQLFolders(versions string) []string {
	folders, _ := filepath.Glob(filepath.Join(versions, "*", "bin")) // the pattern is well formed
	slices.SortFunc(folders, func(a, b string) int { return postgreSQLVersion(b) - postgreSQLVersion(a) })
	path := program("initdb")
	if path == "" {
		return folders
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return append([]string{filepath.Dir(path)}, folders...)
}

// postgreSQLVersion is the major version in VERSION/bin, or 0.
func postgreSQLVersion(folder string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return version
}

func hasPostgreSQL(folder string) bool {
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		if program(filepath.Join(folder, name)) == "" {
			return false
		}
	}
	return true
}
