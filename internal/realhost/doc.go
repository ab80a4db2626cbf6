// Package realhost is a VPS for end-to-end tests, made of real parts on this machine: Debian's sshd with three host
// keys, the Docker engine, Docker Compose, a registry, and a stack that is deployed as a team would deploy it by
// hand. Only tests import it.
//
// A test builds it in this order; everything ends and is removed with the test:
//
//	registry := realhost.StartRegistry(t)
//	images := realhost.BuildImages(t, registry) // V1 good, V2 answers 503, V3 crashes
//	host := realhost.StartSSHD(t)
//	stack := realhost.NewStack(t, registry, images)
//	stack.Up(t, "v1")
//
// The stack holds the traps of real ones: a database on a floating tag that the registry has newer, a one-shot
// migrate service on the api's image that refuses to run against a newer schema, a worker scaled to three by hand,
// and an environment file full of lines that nobody may touch.
//
// The functions end the test when something fails and are to be called from its goroutine. Tests may run in
// parallel: ports, folders and compose projects are each stack's own. The account is shared, so parallel tests that
// run the bot give each app its stack's name, Stack.App, or each host an account of its own, WithUser.
package realhost
