// Package compose is an app on a host as Docker and Compose have it: it implements runbook.Hosts over a [Shell], which runs
// commands there. It alone knows docker's command line, compose's files, dotenv and shell text; of what a plan means, of
// people and of SSH it knows nothing.
//
// Looking is plain docker and compose commands (docker.go), whose answers are parsed and bounded. Whatever changes
// something goes through the lock script (guard.sh), which keeps a kernel lock and a lease with an epoch in ~/.rollbackbot:
// a paused or replaced process changes nothing, and a command outlives the link that started it.
package compose
