// Package standin is an app on hosts in memory, behind the port of package runbook: for tests of what lies above the port,
// and for the demo. It knows no engine and no shell. Images, pins and jobs are values here, and a job does what its
// runbook.Job means.
//
// A Lab has hosts, and is their runbook.Hosts. Each Host begins with a release that runs, whose pins are written, and a
// lock that nobody has ever held. Tests change its State, and order faults in it, by Host.Set:
//
//	host := lab.Add(app, "deploy@one", v2, v1)
//	host.Set(func(s *standin.State) { s.UpFails = []int{1} }) // the next `up` ends with status 1, and changes nothing
//
// All methods may be called by any goroutine. Nothing here starts one, waits in any other way than by package time, or
// holds a mutex while it waits: so all of it works in a bubble of testing/synctest.
package standin
