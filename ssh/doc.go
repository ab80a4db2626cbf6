// Package ssh runs commands on hosts over SSH. A Client is what internal/compose calls a shell.
//
// A Pool holds one Client per host; a Client keeps one connection, dialled at its first Run, kept alive, and dialled
// anew by the first Run after it was lost. Every Run is a session of its own, and several may be under way.
//
// A command is one line for the host, in a login shell, as a person's would be. It begins by printing a mark on both of its
// outputs: what came before is the login shell's and not the command's, and without a mark no command was begun (line.go).
// It ends in one of three ways, which are kept apart all the way up:
//
//	an exit status         Result, nil error. A signal n is status 128+n.
//	it was never started   *runbook.HostError: one sentence with what is wrong, one with the remedy.
//	nobody knows           an error that wraps runbook.ErrLost: the link or the deadline ended first.
//
// Ending a Run early closes its channel; that ends nothing on the host. A command is never started twice: only when
// a kept connection proves dead before the command was sent is another one dialled.
//
// Host keys are always checked against known_hosts, which is read again at each dial, line by line, as OpenSSH reads it: a
// line about another host that can't be read is passed over. One about this host keeps it from being used, unless it is a
// whole key of a type that is newer than this program beside one that can be read; and so does one that revokes a key. The algorithms offered are those that known_hosts has for the host, certificates of a @cert-authority
// included, so that a host known by one of its keys is asked for that one. No option skips this.
package ssh
