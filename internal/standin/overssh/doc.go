// Package overssh puts hosts in memory behind SSH, so that a bot in a process of its own reaches them as it reaches real
// ones: by a connection that can be cut, and by commands whose end can be lost. The command is `standin METHOD`; its input
// and its output are one JSON value each.
//
// Handler is the host's side, for the process that has the standin.Lab; Hosts is the bot's.
package overssh
