package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMigrate_RefusesANewerSchema(t *testing.T) {
	file := filepath.Join(t.TempDir(), "version")
	for _, want := range []string{"1", "1", "2"} {
		if err := migrate(file, want); err != nil {
			t.Fatalf("migrate to %s: %v", want, err)
		}
	}
	if err := migrate(file, "1"); err == nil {
		t.Error("the old release migrated a schema that is newer than itself")
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "2\n" {
		t.Errorf("the schema is %q (%v), want it left at 2", got, err)
	}
}
