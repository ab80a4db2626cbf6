//go:build race

package main_test

// underRace says that the race detector is built in. It makes SQLite, which is Go here, ten times as slow: what a test
// repeats to meet every case, it meets in a build without it, and samples here (scripts/test.sh).
const underRace = true
