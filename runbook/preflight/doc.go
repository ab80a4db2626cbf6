// Package preflight makes plans. What the hosts report and what the history knows come in; a runbook.Plan comes out, or all
// that is wrong, each with its fix. It changes nothing anywhere, and how a host is asked is the host's own business.
//
// doctor's checks of hosts, health URLs and error rate are here as well: they are a preflight that looks at every host to
// its end.
package preflight
