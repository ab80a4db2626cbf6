// Package hosttest is the conformance suite of the host port: what every runbook.Hosts promises, one Case a promise.
//
// Who makes an implementation writes a Bench for it, and a test:
//
//	hosttest.Run(t, func(t *testing.T) hosttest.Bench { return newBench(t) })
//
// A Bench has the implementation, an app that runs on one host, and hands that do there what other people do: Do, with one
// Deed at a time. What a bench can't do it says by ErrCannot, and the case that needs it is skipped.
//
// The suite knows no engine, no files and no shell: it names jobs by what they do (Doing), and the pins file by what it
// holds besides pins (Bench.Rest). It sees the result of a call by the port itself.
package hosttest
