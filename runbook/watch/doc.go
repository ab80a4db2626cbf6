// Package watch looks at what the hosts run, whoever deploys: an [Observer] keeps the history, notes health, tells of drift
// and of suggestions, and looks daily for the images that a rollback would need. A [DailyDoctor] does the daily checkup. It
// never acts on a rollback, and keeps quiet while one is open.
package watch
