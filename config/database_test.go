package config

import "testing"

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
		if err != nil || cfg.DatabaseURL != url {
			t.Errorf("%s: %q, %v", url, cfg.DatabaseURL, err)
		}
	}
}
