package config

import (
	"net/url"
	"strings"
)

// database is the journal's URL. What is wrong with it is said without quoting it: it may hold a password.
func (r *reader) database(s setting) Secret {
	const remedy = "write sqlite:PATH, as in sqlite:rollbackbot.db, or " + postgreSQLForm
	text := s.text()
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		r.postgreSQL(s, text)
	case scheme != "sqlite" || strings.HasPrefix(rest, "//"):
		r.problem(s, "it is neither sqlite:PATH nor postgres://…", remedy)
	case rest == "" || rest == ":memory:":
		r.problem(s, "it names no file", remedy)
	}
	return NewSecret(text)
}

const postgreSQLForm = "postgres://USER:PASSWORD@HOST:5432/DATABASE"

// postgreSQL checks what can be told without the server. Host and user may be absent: PostgreSQL's clients then take
// them from PGHOST and PGUSER. The database may not: theirs would be one with the name of whoever runs us.
func (r *reader) postgreSQL(s setting, text string) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Opaque != "" || !strings.Contains(text, "://"):
		r.problem(s, "it is no URL", "write "+postgreSQLForm+", with %40 for an @ in the password, %3A for a :, %2F for a /, %25 for a %")
	case strings.Trim(parsed.Path, "/") == "" && !parsed.Query().Has("database") && !parsed.Query().Has("dbname"):
		r.problem(s, "it names no database", "write "+postgreSQLForm)
	}
}
