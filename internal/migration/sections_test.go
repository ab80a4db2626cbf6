package migration

import (
	"strings"
	"testing"
)

// What runs on the way up, and what of it is one statement for its tool ("[…]").
func TestSections(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"plain", "1_x.sql", "a;b", "a;b"},
		{"goose", "1_x.sql", "-- +goose Up\na;\n-- +goose Down\nb;\n", "a;\n"},
		{"goose with a block", "1_x.sql", "-- +goose Up\na;\n-- +goose StatementBegin\nb;c\n-- +goose StatementEnd\nd\n-- +goose Down\ne", "a;\n|[b;c\n]|d\n"},
		{"goose, no transaction, CRLF", "1_x.sql", "-- +goose NO TRANSACTION\r\n-- +goose Up\r\na;\r\n-- +goose Down\r\nb;\r\n", "-- +goose NO TRANSACTION\r\n|a;\r\n"},
		{"goose without a way down", "1_x.sql", "-- +goose Up\na", "a"},
		{"before the marker", "1_x.sql", "a;\n-- +goose Up\nb", "a;\n|b"},
		{"dbmate", "1_x.sql", "-- migrate:up transaction:false\na;\n-- migrate:down\nb;\n", "a;\n"},
		{"golang-migrate, up", "1_x.up.sql", "a", "a"},
		{"golang-migrate, down", "db/1_x.down.sql", "a", ""},
		{"golang-migrate runs the whole file", "1_x.up.sql", "-- +goose Up\na;\n-- +goose Down\nb", "-- +goose Up\na;\n-- +goose Down\nb"},
		{"a goose file with a name like that", "1_x.down.sql", "-- +goose Up\na;\n-- +goose Down\nb", "a;\n"},
		{"Flyway", "V1.2__x.sql", "-- migrate:up\na\n-- migrate:down\nb", "-- migrate:up\na\n-- migrate:down\nb"},
		{"Flyway, undo", "sql/U1.2__x.sql", "a", ""},
		{"Flyway, repeatable", "R__views.sql", "a", "a"},
		{"a name that only looks like undo", "Users__x.sql", "a", "a"},
		{"a marker that is indented is none", "1_x.sql", "-- +goose Up\na\n  -- +goose Down\nb", "a\n  -- +goose Down\nb"},
		{"a marker in the middle of a line is none", "1_x.sql", "-- +goose Up\na '-- +goose Down'\nb", "a '-- +goose Down'\nb"},
		{"inside a string", "1_x.sql", "-- +goose Up\na '\n-- +goose Down\n'; b", "? inside"},
		{"inside a comment", "1_x.sql", "-- migrate:up\na /*\n-- migrate:down\n*/; b", "? inside"},
		{"inside a dollar-quoted body", "1_x.sql", "-- migrate:up\na $$\n-- migrate:down\n$$; b", "? inside"},
		{"inside a string for one dialect", "1_x.sql", "-- migrate:up\na '\\'\n-- migrate:down\n'; b", "? inside"},
		{"the wrong order", "1_x.sql", "-- +goose Down\na\n-- +goose Up\nb", "? order"},
		{"down alone", "1_x.sql", "a\n-- migrate:down\nb", "? order"},
		{"up again", "1_x.sql", "-- +goose Up\na\n-- +goose Down\nb\n-- +goose Up\nc", "? order"},
		{"a block that is open", "1_x.sql", "-- +goose Up\n-- +goose StatementBegin\na\n-- +goose Down\nb", "? order"},
		{"a block that is not closed", "1_x.sql", "-- +goose Up\n-- +goose StatementBegin\na", "? order"},
		{"two tools", "1_x.sql", "-- +goose Up\na\n-- migrate:down\nb", "? two"},
		{"another case", "1_x.sql", "-- +goose Up\na\n-- +goose down\nb", "? looks like"},
		{"an unknown word", "1_x.sql", "-- +goose ENVSUB ON\n-- +goose Up\na", "? looks like"},
		{"nothing", "1_x.sql", "", ""},
	} {
		up, doubt := sections(c.file, c.text)
		var got []string
		for _, s := range up {
			part := c.text[s.start:s.end]
			if s.whole {
				part = "[" + part + "]"
			}
			if part != "" {
				got = append(got, part)
			}
		}
		if word, doubtful := strings.CutPrefix(c.want, "? "); doubtful {
			if !strings.Contains(doubt, word) || len(got) != 1 || got[0] != c.text {
				t.Errorf("%s: got %q and the doubt %q; want all of it, and a doubt with %q", c.name, got, doubt, word)
			}
		} else if strings.Join(got, "|") != c.want || doubt != "" {
			t.Errorf("%s: got %q and the doubt %q, want %q", c.name, got, doubt, c.want)
		}
	}
}

// Where each dialect ends its statements.
func TestSplit(t *testing.T) {
	for _, c := range []struct{ text, postgres, mysql string }{
		{"a;b;", "a|b", "a|b"},
		{"a 'x;y';b", "a 'x;y'|b", "a 'x;y'|b"},
		{"a 'it''s;';b", "a 'it''s;'|b", "a 'it''s;'|b"},
		{`a 'x\';b;'`, `a 'x\'|b|'`, `a 'x\';b;'`},
		{`a E'x\';b;'`, `a E'x\';b;'`, `a E'x\';b;'`},
		{`typee'x\';b;'`, `typee'x\'|b|'`, `typee'x\';b;'`},
		{"a $$x;y$$;b", "a $$x;y$$|b", "a $$x|y$$|b"},
		{"a $t$x;$$;$t$;b", "a $t$x;$$;$t$|b", "a $t$x|$$|$t$|b"},
		{"a$1;b$1", "a$1|b$1", "a$1|b$1"},
		{"a --x;y\n;b", "a --x;y\n|b", "a --x|y\n|b"},
		{"a -- x;y\r;b", "a -- x;y\r|b", "a -- x;y\r;b"},
		{"a # x;y\n;b", "a # x|y\n|b", "a # x;y\n|b"},
		{"a /* ; /* ; */ ; */ ;b", "a /* ; /* ; */ ; */ |b", "a /* ; /* ; */ | */ |b"},
		{"a `x;y`;b", "a `x|y`|b", "a `x;y`|b"},
		{`a "x;y";b`, `a "x;y"|b`, `a "x;y"|b`},
		{"a (b;c);d", "a (b;c)|d", "a (b|c)|d"},
		{"a )(;b", "a )(;b", "a )(|b"},
		{"a 'x", "a 'x!", "a 'x!"},
		{"a /* x;", "a /* x;!", "a /* x;!"},
		{"a $x$ ;", "a $x$ ;!", "a $x$ "},
	} {
		for i, want := range []string{c.postgres, c.mysql} {
			var got []string
			for _, p := range split(c.text, section{0, len(c.text), false}, dialects[i].rules) {
				part := c.text[p.start:p.end]
				if p.unclosed && !strings.HasSuffix(want, "'") {
					part += "!"
				}
				got = append(got, part)
			}
			if strings.Join(got, "|") != want {
				t.Errorf("%s: %q splits into %q, want %q", dialects[i].name, c.text, strings.Join(got, "|"), want)
			}
		}
	}
}

// What people are shown holds no data, and fits.
func TestShow(t *testing.T) {
	for _, c := range []struct{ statement, want string }{
		{"ALTER  TABLE users\n\tADD COLUMN a text DEFAULT 'en' -- hunter2\n", "ALTER TABLE users ADD COLUMN a text DEFAULT 'en'"},
		{"INSERT INTO \"users\" (name) VALUES ('hunter2', \"hunter2\")", `INSERT INTO "users" (name) VALUES ('…', '…')`},
		{`UPDATE users SET a = 'x\', b = 'hunter2'`, "UPDATE users SET a = '…' …"},
		{"CREATE USER joe IDENTIFIED BY 'hunter2'", "CREATE USER joe IDENTIFIED BY '…'"},
		{"ALTER ROLE joe PASSWORD 'hunter2'", "ALTER ROLE joe PASSWORD '…'"},
		{"ALTER TABLE a ADD COLUMN secret text DEFAULT 'hunter2'", "ALTER TABLE a ADD COLUMN secret text DEFAULT '…'"},
		{"INSERT INTO a VALUES ($$hunter2$$)", "INSERT INTO a VALUES ('… …"},
		{"INSERT INTO a VALUES ($x$hunter2$x$)", "INSERT INTO a VALUES ('… …"},
		{"INSERT INTO a VALUES ('hunter2", "INSERT INTO a VALUES ('…"},
		{"COMMENT ON TABLE a IS 'a long sentence that goes on and on and on'", "COMMENT ON TABLE a IS '…'"},
		{"CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2'", "CREATE SUBSCRIPTION s CONNECTION '…'"},
		{"DROP TABLE " + strings.Repeat("ä", 300), "DROP TABLE " + strings.Repeat("ä", 148) + "…"},
	} {
		got := show(c.statement)
		if strings.Contains(got, "hunter2") || len([]rune(got)) > maxShownRunes || !strings.HasPrefix(got, strings.TrimSuffix(c.want, " …")) {
			t.Errorf("%q is shown as %q, want %q", c.statement, got, c.want)
		}
	}
}
