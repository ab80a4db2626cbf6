package sshtest

import (
	"os/exec"
	"syscall"
	"testing"
)

// The number of a group that is gone may have become another program's: that one lives on.
func TestGroups_AReusedNumberIsNotOurs(t *testing.T) {
	cmd := exec.Command("sleep", "300")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	id := cmd.Process.Pid
	former := groups{ids: map[int]string{id: "1"}}
	former.killAll()
	_ = syscall.Kill(-id, syscall.SIGTERM)
	<-ended
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
		t.Errorf("another program's group ended by %v, want SIGTERM, which this test sent", status.Signal())
	}
}
