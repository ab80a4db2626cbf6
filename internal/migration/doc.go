// Package migration judges migration files by their syntax: what a failed release's migration may do to the release that
// a rollback goes back to. It implements runbook.MigrationJudge.
//
// A file is judged in four steps, a file of the package for each:
//
//   - sections.go: what of the file runs on the way up, by the conventions of goose, dbmate, golang-migrate and Flyway.
//   - lexer.go, split.go: where statements end. PostgreSQL and MySQL disagree about strings and comments, so each
//     dialect splits by its own rules; where they differ, both readings are judged.
//   - parse.go, postgres*.go, mysql*.go: each statement goes to PostgreSQL's own parser and to one of MySQL's grammar.
//     Every dialect that reads it judges it, and the worst answer counts. What none reads could not be judged.
//   - judge.go puts that together.
//
// The rules are a list of what is allowed: a statement "adds only" when every part of its syntax tree is known to leave
// alone whatever the former version uses. A part that the list does not name, also one that a later version of a parser
// brings, is never "adds only". That rests on the real parsers alone: everything of the file goes through them, in pieces
// that are cut at semicolons and never rewritten. A cut in the wrong place gives a piece that does not parse; a cut that
// is missing gives a piece with two statements, and both are judged.
//
// What no syntax tells, and so no judgement either: a column that makes an unqualified name in a join ambiguous, a table
// that hides another one on the search path, an INSERT without a list of columns, an index on values too long for it,
// how long a lock was held. That is why each judgement says that it was not tried against the former code.
//
// PostgreSQL's parser is a WebAssembly module: its start costs 2 s and 255 MB once per process. Process therefore runs
// Serve in a child process for each call, which ends with it: the bot stays small, and a file that crashes a parser
// crashes a child that has no secret in its environment.
package migration
