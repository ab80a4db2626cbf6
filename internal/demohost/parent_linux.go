package demohost

import "syscall"

// diesWithParent has a process killed when the thread that starts it ends.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
