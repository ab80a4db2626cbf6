package migration

import (
	"iter"
	"strings"
)

// rules are where dialects differ about what a semicolon may hide in.
type rules struct {
	backslash   bool // \' does not end a string
	hash        bool // # begins a comment
	dashNeeds   bool // -- begins a comment only before white space
	nested      bool // comments may hold comments
	dollar      bool // $tag$ quotes, and E'…' has backslashes
	backtick    bool // ` quotes a name
	returnEnds  bool // a carriage return ends a -- comment
	parentheses bool // a semicolon inside parentheses ends nothing
}

// PostgreSQL's lexical structure: https://www.postgresql.org/docs/current/sql-syntax-lexical.html, and that psql waits
// for the closing parenthesis. MySQL's: https://dev.mysql.com/doc/refman/8.4/en/string-literals.html and comments.html.
var (
	postgresRules = rules{nested: true, dollar: true, returnEnds: true, parentheses: true}
	mysqlRules    = rules{backslash: true, hash: true, dashNeeds: true, backtick: true}
)

type tokenKind int

const (
	other     tokenKind = iota // a word, a number, or one byte of anything else
	space                      // white space and comments
	quoted                     // a string, a quoted name, a dollar-quoted body
	semicolon                  // one that ends a statement
)

// token is a piece of a text. The tokens of a text are the whole text.
type token struct {
	kind       tokenKind
	start, end int
	unclosed   bool // the text ended before what it opens was closed
}

// tokens cuts a text into tokens.
func tokens(text string, rules rules) iter.Seq[token] {
	return func(yield func(token) bool) {
		depth := 0
		for at := 0; at < len(text); {
			t := scan(text, at, rules)
			switch {
			case t.kind == other && text[at] == '(':
				depth++
			case t.kind == other && text[at] == ')':
				depth = max(depth-1, 0)
			case t.kind == semicolon && rules.parentheses && depth > 0:
				t.kind = other
			case t.kind == semicolon:
				depth = 0
			}
			if !yield(t) {
				return
			}
			at = t.end
		}
	}
}

// scan reads the token that begins at a place.
func scan(text string, at int, rules rules) token {
	c, rest := text[at], text[at:]
	switch {
	case isSpace(c):
		return token{kind: space, start: at, end: at + len(rest) - len(strings.TrimLeft(rest, " \t\n\r\f\v"))}
	case strings.HasPrefix(rest, "--") && (!rules.dashNeeds || len(rest) == 2 || rest[2] <= ' '), c == '#' && rules.hash:
		return lineComment(text, at, rules)
	case strings.HasPrefix(rest, "/*"):
		return blockComment(text, at, rules)
	case c == ';':
		return token{kind: semicolon, start: at, end: at + 1}
	case c == '\'', c == '"', c == '`' && rules.backtick:
		return quote(text, at, at, rules.backslash && c != '`')
	case c == '$' && rules.dollar:
		return dollarQuote(text, at)
	case isWord(c):
		return word(text, at, rules)
	}
	return token{kind: other, start: at, end: at + 1}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func lineComment(text string, at int, rules rules) token {
	ends := "\n"
	if rules.returnEnds {
		ends = "\n\r"
	}
	if n := strings.IndexAny(text[at:], ends); n >= 0 {
		return token{kind: space, start: at, end: at + n}
	}
	return token{kind: space, start: at, end: len(text)}
}

func blockComment(text string, at int, rules rules) token {
	depth := 1
	for i := at + 2; i+1 < len(text); i++ {
		switch {
		case text[i] == '*' && text[i+1] == '/':
			depth--
			i++
		case rules.nested && text[i] == '/' && text[i+1] == '*':
			depth++
			i++
		}
		if depth == 0 {
			return token{kind: space, start: at, end: i + 1}
		}
	}
	return token{kind: space, start: at, end: len(text), unclosed: true}
}

// quote reads a quoted piece whose opening quote is at open. A doubled quote is a quote inside.
func quote(text string, start, open int, backslash bool) token {
	for i := open + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && backslash:
			i++
		case text[i] == text[open] && i+1 < len(text) && text[i+1] == text[open]:
			i++
		case text[i] == text[open]:
			return token{kind: quoted, start: start, end: i + 1}
		}
	}
	return token{kind: quoted, start: start, end: len(text), unclosed: true}
}

func dollarQuote(text string, at int) token {
	i := at + 1
	for i < len(text) && isWord(text[i]) && (i > at+1 || text[i] < '0' || text[i] > '9') {
		i++
	}
	if i == len(text) || text[i] != '$' {
		return token{kind: other, start: at, end: at + 1}
	}
	tag := text[at : i+1]
	if n := strings.Index(text[i+1:], tag); n >= 0 {
		return token{kind: quoted, start: at, end: i + 1 + n + len(tag)}
	}
	return token{kind: quoted, start: at, end: len(text), unclosed: true}
}

// word reads a word or a number, and with E'…' its string. Dollar signs belong to it after its first byte.
func word(text string, at int, rules rules) token {
	i := at + 1
	for i < len(text) && (isWord(text[i]) || text[i] == '$') {
		i++
	}
	if rules.dollar && i == at+1 && (text[at] == 'e' || text[at] == 'E') && i < len(text) && text[i] == '\'' {
		return quote(text, at, i, true)
	}
	return token{kind: other, start: at, end: i}
}
