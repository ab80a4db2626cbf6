// Package outbox sees to it that each message is posted once and kept up to date: an intent in the journal, the post, its
// place in the journal; and before a post of unknown fate is repeated, the channel is searched for it. What a message looks
// like is the runbook.Announcer's.
package outbox
