// Package hostlab has real hosts of three generations for tests: Debian 12 with Docker 20.10, Debian 13 with 26.1, and
// Debian sid with 28.5 and containerd's image store. Each has a root file system of its own, its own dockerd, sshd and
// network, so that several run at once beside the machine's own engine, which is never touched. `make hosts` builds the
// root file systems; only tests, and the command lab, import this package.
//
//	lab := hostlab.Open(t)                     // the bridge, and a registry on its address
//	host := lab.Start(t, hostlab.Trixie)       // in 3 s; skips where `make hosts` was not run
//	host.Script(t, "docker info")              // as root
//	host.Login(t, "deploy", "docker ps")       // as the account, in its login shell
//
// A person starts one and keeps it until Ctrl-C with
//
//	go run ./internal/hostlab/lab trixie
//
// which prints how to log in.
//
// A host is a tree of processes in namespaces of its own (processes, mounts, network, name). It ends with the process
// that started it, killed or not, and the kernel takes its mounts and its end of the network with it; what is left is a
// folder under the cache, which the next start removes. The root file system is the lower layer of an overlay, so that
// every start begins with a host that nobody has used.
package hostlab
