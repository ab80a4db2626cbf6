// Package demohost is a host to practise a rollback on, for a machine that has Go and a shell but no docker.
//
// Start makes a folder, an SSH server in process that takes one key made for it and runs each command line through the
// machine's real shell, and an app, the shop, whose api answers 503 since its last release, v2. The release before
// it, v1, is healthy. Where a shell on that host says `docker`, it finds a symbolic link to the running program, so
// the program has to look first whether it was started as that:
//
//	func main() {
//		if demohost.IsStandIn() {
//			os.Exit(demohost.RunStandIn())
//		}
//		…
//	}
//
// The stand-in for docker understands the command lines that a rollback runs, and refuses all others as docker would.
// Its texts and its order of doing things are those of Docker 28.2 and Compose 5.6. The engine has no process of its
// own: what it knows is a file in the folder, and kernel locks on files say what is alive.
//
//   - state.json, under state.lock: the images that were fetched, and the containers.
//   - containers/ID/lock: held for as long as that container lives, by its shim, which runs the container's program
//     as its child, restarts it as the restart policy says, and notes how it ended.
//   - lifeline: held by the process that called Start. Whoever gets it knows that the host is gone, and ends.
//
// So nothing outlives the host, however it ended: every process of it waits for the lifeline, and Close looks through
// the list of processes besides. The folder alone is left where that process was killed and could not close the host.
package demohost
