//go:build race

package runner

// pointsParted is how far apart the points are that a rollback is killed at. The race detector takes seven times as long
// for each, and what it looks for shows at many of them: here it sees some of every course, and the build without it sees
// all. It is odd, so that points before and after an effect take turns.
const pointsParted = 9
