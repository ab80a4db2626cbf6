package compose_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rollbackbot/runbook/hosttest"
)

// Do is what somebody else does: with docker and compose as the account, with files and signals as root.
func (b *bench) Do(ctx context.Context, deed hosttest.Deed) error {
	switch deed := deed.(type) {
	case hosttest.Deploy:
		return b.deploy(ctx, deed.Release)
	case hosttest.Scale:
		return b.compose(ctx, fmt.Sprintf("up -d --no-recreate --scale %s=%d %[1]s", deed.Service, deed.To))
	case hosttest.Mix:
		return b.mix(ctx, deed)
	case hosttest.Tagged:
		return b.compose(ctx, "up -d --no-deps "+deed.Service, variable(deed.Service)+"="+b.tagOfCurrent(deed.Service))
	case hosttest.Stop:
		return b.compose(ctx, "stop "+deed.Service)
	case hosttest.Crash:
		return b.crash(ctx, deed.Service)
	case hosttest.Remove:
		return b.compose(ctx, "rm --stop --force "+deed.Service)
	case hosttest.OneOff:
		return b.compose(ctx, "run -d --no-deps "+deed.Service, b.setTo(deed.Service, deed.Release))
	case hosttest.Stray:
		return b.compose(ctx, "up -d stray")
	case hosttest.Depend:
		return b.compose(ctx, "up -d --no-deps sidecar proxy")
	case hosttest.Print:
		return b.print(ctx, deed.Service, deed.Text)
	case hosttest.Cut:
		return b.link.lose(deed)
	case hosttest.Unreachable:
		b.lane.sshd.Stop(b.tb)
		return nil
	case hosttest.Hang:
		b.lane.sshd.Freeze(b.tb)
		return nil
	case hosttest.Reboot:
		return b.reboot(ctx)
	}
	if do := b.withFiles(deed); do != nil {
		return do(ctx)
	}
	return fmt.Errorf("%w: %T", hosttest.ErrCannot, deed)
}

// cut ends the connections, as a network does.
func (b *bench) cut(cut hosttest.Cut) {
	if cut.Away {
		b.lane.sshd.Stop(b.tb)
		return
	}
	b.lane.sshd.Cut(b.tb)
}

// setTo sets a service's variable for one command.
func (b *bench) setTo(service string, which hosttest.Which) string {
	return variable(service) + "=" + b.Release(which).Images[service].String()
}

// deploy pins a release and starts it.
func (b *bench) deploy(ctx context.Context, which hosttest.Which) error {
	if err := b.writePins(b.pinsOf(which)); err != nil {
		return err
	}
	return b.compose(ctx, "up -d "+strings.Join(b.app.ServiceNames(), " "))
}

// mix has one container more of a service: the ones that are there stay as they are.
func (b *bench) mix(ctx context.Context, deed hosttest.Mix) error {
	there, err := b.containers(ctx, deed.Service)
	if err != nil {
		return err
	}
	return b.compose(ctx, fmt.Sprintf("up -d --no-deps --no-recreate --scale %s=%d %[1]s", deed.Service, len(there)+1), b.setTo(deed.Service, deed.Release))
}

// tagOfCurrent is the tag under which Current was built.
func (b *bench) tagOfCurrent(service string) string {
	return b.Release(hosttest.Current).Images[service].Name + ":" + string(hosttest.Current)
}

// process is the first process of a service's one container.
func (b *bench) process(ctx context.Context, service string) (id string, pid int, err error) {
	ids, err := b.containers(ctx, service)
	if err != nil {
		return "", 0, err
	}
	text, err := run(ctx, "docker", "inspect", "--format", "{{.State.Pid}}", ids[0])
	if err != nil {
		return "", 0, err
	}
	pid, err = strconv.Atoi(text)
	return ids[0], pid, err
}

// crash kills a service's process. The engine waits a moment before it starts it again.
func (b *bench) crash(ctx context.Context, service string) error {
	id, pid, err := b.process(ctx, service)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) {
		state, err := run(ctx, "docker", "inspect", "--format", "{{.RestartCount}} {{.State.Running}}", id)
		return state == "1 true", err
	})
}

// print writes to what a service's process prints to.
func (b *bench) print(ctx context.Context, service, text string) error {
	id, pid, err := b.process(ctx, service)
	if err != nil {
		return err
	}
	output, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/1", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer output.Close()
	if _, err := output.WriteString(text); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) {
		last, err := run(ctx, "docker", "logs", "--tail", "1", id)
		return last != "" && strings.HasSuffix(text, last+"\n"), err
	})
}

// reboot ends all that the account runs, under another boot ID, and starts the containers again.
func (b *bench) reboot(ctx context.Context) error {
	b.lane.sshd.Reboot(b.tb)
	return b.compose(ctx, "restart --timeout 0")
}

// until asks again and again.
func until(ctx context.Context, is func() (bool, error)) error {
	for {
		if done, err := is(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
