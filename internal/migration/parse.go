package migration

import (
	"fmt"
	"strings"
	"sync/atomic"

	"rollbackbot/runbook"
)

// dialect is one database's reading of a text.
type dialect struct {
	name  string
	rules rules
	// parse reads a statement, which may turn out to be several, or none. It gives an error for what is no statement of
	// this dialect.
	parse func(text string, made names) ([]opinion, error)
}

var dialects = []dialect{
	{"PostgreSQL", postgresRules, parsePostgres},
	{"MySQL", mysqlRules, parseMySQL},
}

// opinion is what a dialect thinks of a statement.
type opinion struct {
	verdict runbook.MigrationVerdict
	why     string
}

func adds(format string, args ...any) opinion {
	return opinion{runbook.AddsOnly, fmt.Sprintf(format, args...)}
}

func breaks(format string, args ...any) opinion {
	return opinion{runbook.MayBreak, fmt.Sprintf(format, args...)}
}

func unjudged(format string, args ...any) opinion {
	return opinion{runbook.NotJudged, fmt.Sprintf(format, args...)}
}

// worse gives the worse of two opinions, the first one where they are equally bad.
func (o opinion) worse(than opinion) opinion {
	if o.verdict.Worse(than.verdict) != o.verdict {
		return than
	}
	return o
}

// worst of several opinions, at least one.
func worst(opinions []opinion) opinion {
	w := opinions[0]
	for _, o := range opinions[1:] {
		w = w.worse(o)
	}
	return w
}

// names are the tables and types that the file itself has made further up, as one dialect writes them. The former version
// knows none of them: what is done to them can't break it. CREATE … IF NOT EXISTS makes none, for it may have found one.
type names map[string]bool

func name(schema, object string) string { return schema + "\x00" + object }

// The limits on one statement: far above what people write, and what a parser takes from it stays small.
const (
	maxStatement = 64 << 10 // bytes; the costliest statement of that size takes under 100 MB to parse
	maxDepth     = 100      // parentheses in parentheses; PostgreSQL's parser recurses for each
	// Of operators in a row: a sum of 500 takes libpg_query 0.15 s, one of 2000 over 15 s. And of words that nest
	// without parentheses: 4000 UNIONs break it down.
	maxChain = 200
)

// broken says that a parser broke down in this process: what it says from then on is worth nothing.
var broken atomic.Bool

// read has one dialect read a piece. What a parser was not given, or broke down at, is not judged, whatever another
// dialect thinks of it: nobody knows what this one would have said.
func (d dialect) read(text string, p piece, made names) (opinions []opinion, err error) {
	statement := text[p.start:p.end]
	switch {
	case len(statement) > maxStatement || nesting(statement, d.rules):
		return []opinion{unjudged("it is longer, or more deeply nested, than what this judge reads")}, nil
	case broken.Load():
		return []opinion{unjudged("a parser broke down at an earlier statement")}, nil
	case p.unclosed:
		return nil, fmt.Errorf("%s: a string or a comment is not closed", d.name)
	}
	defer func() {
		if problem := recover(); problem != nil {
			broken.Store(true)
			opinions, err = []opinion{unjudged("%s's parser broke down at it", d.name)}, nil
		}
	}()
	return d.parse(statement, made)
}

// nesting tells a statement that is longer, deeper or longer chained than what goes to a parser.
func nesting(text string, rules rules) bool {
	depth, chain, words := 0, 0, 0
	for t := range tokens(text, rules) {
		if t.kind != other {
			continue
		}
		switch c := text[t.start]; c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			chain = 0
		case '+', '-', '*', '/', '<', '>', '=', '~', '!', '@', '#', '%', '^', '&', '|', '?':
			chain++
		default:
			if nestingWords[strings.ToLower(text[t.start:t.end])] {
				words++
			}
		}
		if depth > maxDepth || chain > maxChain || words > maxChain {
			return true
		}
	}
	return false
}

var nestingWords = setOf("union", "intersect", "except", "minus", "not", "case", "join", "and", "or")
