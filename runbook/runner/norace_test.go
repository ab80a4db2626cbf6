//go:build !race

package runner

// pointsParted is how far apart the points are that a rollback is killed at: it is killed at all of them.
const pointsParted = 1
