// Package practice is a host to practise a rollback on, for a machine that has nothing but the bot: the shop of the demo,
// whose api answers 503 since its last release, v2. The release before it, v1, is healthy.
//
// The host is a stand-in in memory. The way to it is real: an SSH server in process, with a key made for it, whose link can
// be cut; and an HTTP server that answers for the api. The bot asks it as package internal/standin/overssh does.
package practice
