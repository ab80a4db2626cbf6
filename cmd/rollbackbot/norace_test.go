//go:build !race

package main_test

// underRace says whether the race detector is built in.
const underRace = false
