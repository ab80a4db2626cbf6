// Package localslack is a Slack on this machine: Slack's Web API, Socket Mode and a page to read,
// type and click in, for demos and tests.
//
// A program that talks to Slack is pointed at [Server.APIURL] and finds there what it would find at
// Slack: tokens with scopes, channels it is or isn't a member of, threads, private messages, forms,
// user groups and guests, the limits of Block Kit, three seconds to acknowledge, and sockets that
// close when they like. The people of the workspace act either on the page ([Server.PageURL]) or
// from Go:
//
//	s := localslack.New(localslack.Workspace{…})
//	err := s.Start("127.0.0.1:0")
//	…
//	ack, err := s.Command(ctx, "U1", "C1", "/rollback shop")
//	err = s.Wait(ctx, func(now *localslack.Snapshot) bool { return len(now.Messages("C1")) == 1 })
//	ack, err = s.Click(ctx, "U2", "C1", now.Messages("C1")[0].TS, "approve")
//
// How it breaks is up to the test too: [Server.Fault] spoils single Web API calls, [Server.Refresh]
// and [Server.DropSockets] take sockets away, [WithRateLimits] answers 429 as Slack would.
//
// # What it is not
//
// Everything is kept in memory and gone when the server closes. It knows one workspace and one app,
// and of Slack's methods and blocks only those listed in methods.go and blocks.go; the rest is
// answered with unknown_method and invalid_blocks. It listens on loopback addresses only, checks the
// Host of every request, and guards the page by a random token: no other page open in the same
// browser can talk to it.
package localslack
