package demohost

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// marker is the variable that every process of a host carries: the host's folder.
const marker = "ROLLBACKBOT_DEMO_HOST"

// environment is what every process of a host has in its environment. The second variable is read by programs that
// were built with the race detector, as tests are: those sleep for a second when they end, unless told not to.
func (f folder) environment() []string {
	return []string{marker + "=" + string(f), "GORACE=atexit_sleep_ms=0"}
}

// The names under which the program is started again.
const (
	dockerName  = "docker"           // a command
	shimName    = "demohost-shim"    // what keeps a container
	programName = "demohost-program" // what runs in a container
)

// IsStandIn reports whether this process was started as part of a host: as its docker, or as one of its containers.
// main asks it before anything else.
func IsStandIn() bool {
	return os.Getenv(marker) != "" && slices.Contains([]string{dockerName, shimName, programName}, filepath.Base(os.Args[0]))
}

// RunStandIn does what this process was started for, where IsStandIn says so, and gives its exit status.
func RunStandIn() int {
	f := folder(os.Getenv(marker))
	switch filepath.Base(os.Args[0]) {
	case shimName:
		return runShim(f, os.Args[1:])
	case programName:
		return runProgram(f, os.Args[1:])
	}
	keepInherited()
	whenHostEnds(f, func() { os.Exit(int(syscall.SIGKILL) + 128) })
	dir, err := os.Getwd()
	if err != nil {
		dir = "/" // as a process sees it whose folder was removed
	}
	c := &call{host: f, dir: dir, environment: os.LookupEnv, stdout: os.Stdout, stderr: os.Stderr}
	return c.run(os.Args[1:])
}

// keepInherited keeps from containers what docker was given beside its three streams, as the engine does, which starts
// them: one that had the descriptor of a caller's lock would hold that lock for as long as it runs.
func keepInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // without /proc there is no host: see checkMachine
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
