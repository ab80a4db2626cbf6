package standin_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"rollbackbot/internal/sshtest"
	"rollbackbot/internal/standin"
	"rollbackbot/internal/standin/overssh"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

// The stand-in keeps every promise of the port. In a bubble it takes no time.
func TestConformance(t *testing.T) {
	hosttest.Run(t, func(*testing.T) hosttest.Bench { return newBench() }, synctest.Test)
}

// So does one that is asked by commands.
func TestConformance_OverSSH(t *testing.T) {
	hosttest.Run(t, func(*testing.T) hosttest.Bench {
		b := newBench()
		answer := overssh.Handler(func(app runbook.App, name runbook.Host) *standin.Host { return b.lab.On(app, name).(*standin.Host) })
		b.hosts = &overssh.Hosts{Shell: func(runbook.Host) overssh.Shell { return shell(answer) }, Lines: b.lab.Commands}
		return b
	}, synctest.Test)
}

// shell has a handler answer without a connection.
type shell sshtest.Handler

func (s shell) Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error) {
	var out, errs bytes.Buffer
	status = s(ctx, cmd.String(), bytes.NewReader(stdin), &out, &errs)
	return status, out.Bytes(), errs.Bytes(), nil
}
