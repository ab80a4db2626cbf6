// Command assudo runs a command as sudo does, for a test that makes it root's with the set-user-ID bit: with all of its
// user IDs changed, and every descriptor closed but the first three.
package main

import (
	"os"
	"os/exec"
	"syscall"
)

func main() {
	program, err := exec.LookPath(os.Args[1])
	if err == nil {
		err = syscall.Setresuid(0, 0, 0)
	}
	for fd := 3; fd < 64; fd++ {
		syscall.CloseOnExec(fd)
	}
	if err == nil {
		err = syscall.Exec(program, os.Args[1:], os.Environ())
	}
	println(err.Error())
	os.Exit(1)
}
