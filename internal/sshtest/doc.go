// Package sshtest is a host in process: a real SSH server for tests and for the demo.
//
// It speaks SSH through golang.org/x/crypto and accepts one client key, made when the first server of a folder
// starts. A command line is run as sshd runs it without a terminal: by the user's shell with -c, in a process group of
// its own, and what runs goes on when the channel or the connection ends. In place of a shell a test may give a
// Handler, and in place of TCP an in-memory pipe, so that a whole conversation fits into a testing/synctest bubble.
//
//	server, err := sshtest.Start(sshtest.Options{Dir: dir, Home: home})
//	defer server.Close()
//	// dial server.Host() with server.KeyFile and server.KnownHostsFile
//
// Servers that share a Dir share the client key and the known_hosts file, as the hosts of one team do.
// Cut, Freeze and Refuse play what networks do.
package sshtest
