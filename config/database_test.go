package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestLoad_PostgreSQL(t *testing.T) {
	for _, url := range []string{
		"postgres://bot:hunter2@db.internal:5432/journal",
		"postgresql://bot:p%40ss@db/journal?sslmode=verify-full&search_path=rollbackbot",
		"postgres://bot:hunter2@one:5432,two:5432/journal?target_session_attrs=read-write",
		"postgres:///journal?host=/run/postgresql",
		"postgres://db?dbname=journal",
	} {
		set(t, map[string]string{"ROLLBACK_DATABASE_URL": url})
		cfg, err := Load(Database)
		if err != nil || cfg.DatabaseURL.Reveal() != url {
			t.Errorf("%s: %q, %v", url, cfg.DatabaseURL.Reveal(), err)
		}
		if printed := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg); strings.Contains(printed, "hunter2") || strings.Contains(printed, "p%40ss") {
			t.Errorf("a printed Config shows the password: %s", printed)
		}
	}
}
