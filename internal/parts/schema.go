package parts

import (
	"os"
	"testing"
)

// schemaVariable names the file of Slack's JSON schema for app manifests. The file is Slack's and no part that can
// be installed, so it is given from outside.
const schemaVariable = "SLACK_MANIFEST_SCHEMA"

// ManifestSchema is the path of Slack's JSON schema for app manifests, from SLACK_MANIFEST_SCHEMA. Without the
// variable the test is skipped by name, in CI too; a variable that names no file fails the test.
func ManifestSchema(tb testing.TB) string {
	tb.Helper()
	uncached()
	path := os.Getenv(schemaVariable)
	if path == "" {
		skip(tb, "missing file: Slack's manifest schema; remedy: "+schemaVariable+"=FILE")
	}
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("%s: %v", schemaVariable, err)
	}
	return path
}
