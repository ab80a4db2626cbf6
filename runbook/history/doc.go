// Package history is what an app's journal tells of its releases and past rollbacks: which release went live when, on
// which hosts, whether it was healthy for long enough to be known-good, what is quarantined, and how each rollback ended.
//
// [History] is a fold of events, pure like the fold of a rollback. A [Chronicle] keeps it in memory and reads on from the
// last event that it knows; what is kept in the database for commands is to be shown, and never to be decided on.
package history
