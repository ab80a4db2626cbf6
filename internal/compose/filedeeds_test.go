package compose_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

// withFiles does what is done with files alone; nil where a deed is none of these.
func (b *bench) withFiles(deed hosttest.Deed) func(context.Context) error {
	do := func(f func() error) func(context.Context) error { return func(context.Context) error { return f() } }
	switch deed := deed.(type) {
	case hosttest.WritePins:
		return do(func() error { return b.writePins(deed.Pins) })
	case hosttest.RemovePins:
		return do(func() error { return os.Remove(b.pinsFile()) })
	case hosttest.LinkPins:
		return do(b.linkPins)
	case hosttest.LockPins:
		return do(func() error { return errors.Join(os.Chown(b.pinsFile(), 0, 0), os.Chmod(b.pinsFile(), 0o644)) })
	case hosttest.Export:
		return do(func() error {
			return appendTo(b.lane.profileFile(), "export "+b.setTo(deed.Service, deed.Release)+"\n")
		})
	case hosttest.Write:
		return func(ctx context.Context) error { return b.write(ctx, deed.As) }
	case hosttest.Retag:
		return b.retag
	case hosttest.Edit:
		return do(func() error { return b.edit("\n  "+deed.Service+":\n", "    mem_limit: 256m\n") })
	case hosttest.BreakFiles:
		return do(func() error { return os.WriteFile(b.composeFile(), []byte("services: [\n"), 0o644) })
	case hosttest.ForgetJob:
		return do(func() error { return os.RemoveAll(filepath.Join(b.stateFolder(), deed.Rollback, deed.Job)) })
	case hosttest.RemoveLease:
		return do(func() error { return os.Remove(b.lease()) })
	case hosttest.DamageLease:
		return do(func() error { return os.WriteFile(b.lease(), []byte("rollback=rb-mi\x00\x00"), 0o600) })
	case hosttest.StopEngine:
		return do(func() error { return b.flag("no-engine", "") })
	case hosttest.Silence:
		return do(b.silence)
	case hosttest.Untouchable:
		return b.becomeUntouchable
	case hosttest.TakeByHand:
		return func(ctx context.Context) error { return b.takeByHand(ctx, deed) }
	case hosttest.KillJob:
		return b.killJob
	}
	return nil
}

// stateFolder is the bot's for the app, on the host.
func (b *bench) stateFolder() string { return filepath.Join(b.lane.stateFolder(), b.app.Name) }
func (b *bench) lease() string       { return filepath.Join(b.stateFolder(), "lease") }

// flag tells the bench's docker command something.
func (b *bench) flag(name, content string) error {
	return os.WriteFile(filepath.Join(b.folder, name), []byte(content), 0o644)
}

// silence has the docker command ask a port whose kernel takes connections, and where nobody ever says a word.
func (b *bench) silence() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.tb.Cleanup(func() { _ = listener.Close() })
	return b.flag("silent", listener.Addr().String())
}

func appendTo(name, text string) error {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func (b *bench) pinsOf(which hosttest.Which) []runbook.Pin {
	var pins []runbook.Pin
	for _, service := range b.app.Services {
		pins = append(pins, runbook.Pin{Variable: service.Variable, Value: b.Release(which).Images[service.Name].String()})
	}
	return pins
}

// writePins changes the file as a person with an editor does: line by line, in place. It makes one that isn't there.
func (b *bench) writePins(pins []runbook.Pin) error {
	content, err := os.ReadFile(b.pinsFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	text := string(content)
	for _, pin := range pins {
		text = withPin(text, pin)
	}
	if content != nil {
		return os.WriteFile(b.pinsFile(), []byte(text), 0) // the mode stays
	}
	return errors.Join(os.WriteFile(b.pinsFile(), []byte(text), 0o600), b.lane.give(b.pinsFile()))
}

func withPin(text string, pin runbook.Pin) string {
	line := regexp.MustCompile(`(?m)^` + pin.Variable + `=.*\n`)
	switch {
	case pin.Absent:
		return line.ReplaceAllString(text, "")
	case line.MatchString(text):
		return line.ReplaceAllLiteralString(text, pin.Variable+"="+pin.Value+"\n")
	case text != "" && !strings.HasSuffix(text, "\n"):
		text += "\n"
	}
	return text + pin.Variable + "=" + pin.Value + "\n"
}

// linkPins moves the file into a folder beside the app's own.
func (b *bench) linkPins() error {
	shared := filepath.Join(b.folder, "shared")
	file := filepath.Join(shared, "pins")
	return errors.Join(os.Mkdir(shared, 0o755), os.Rename(b.pinsFile(), file), os.Symlink(file, b.pinsFile()), b.lane.give(shared))
}

// edit adds lines behind one of the compose file.
func (b *bench) edit(behind, lines string) error {
	content, err := os.ReadFile(b.composeFile())
	if err != nil {
		return err
	}
	if strings.Count(string(content), behind) != 1 {
		return fmt.Errorf("the compose file doesn't say %q once", behind)
	}
	return os.WriteFile(b.composeFile(), []byte(strings.Replace(string(content), behind, behind+lines, 1)), 0o644)
}

// becomeUntouchable gives the job script a program that makes one root.
func (b *bench) becomeUntouchable(ctx context.Context) error {
	program, err := os.ReadFile("/usr/bin/setpriv")
	if err != nil {
		return fmt.Errorf("%w: %w", hosttest.ErrCannot, err)
	}
	asRoot := filepath.Join(b.folder, "asroot")
	if err := errors.Join(writeScript(asRoot, string(program)), os.Chmod(asRoot, 0o755|os.ModeSetuid)); err != nil {
		return err
	}
	if err := b.types(ctx, "./asroot --reuid 0 --clear-groups true"); err != nil {
		return fmt.Errorf("%w: %w", hosttest.ErrCannot, err) // where the folder is mounted with nosuid
	}
	return nil
}

// takeByHand runs the beginning of the script in docs/host.md, for pipelines without the bot's binary: up to where that
// deploys.
func (b *bench) takeByHand(ctx context.Context, deed hosttest.TakeByHand) error {
	const deploys = "\ntimeout -k 10 "
	script, err := scriptOfDocs()
	if err != nil {
		return err
	}
	script, _, found := strings.Cut(script, deploys)
	first, rest, ok := strings.Cut(strings.TrimPrefix(script, "#!/bin/sh\n"), "\n")
	if !found || !ok || !strings.HasPrefix(first, "app=shop who=") {
		return errors.New("the script in docs/host.md isn't the one that the bench knows")
	}
	settings := fmt.Sprintf("app=%s who=%s why=%s seconds=%d\n", b.app.Name, runbook.Quote(deed.Holder), runbook.Quote(deed.Reason), deed.For/time.Second)
	// Over SSH, where the host's boot ID is the one that the bot sees.
	status, stdout, stderr, err := b.link.shell.Run(ctx, runbook.Command{Args: []string{"sh", "-c", settings + rest}}, nil)
	if err == nil && status != 0 {
		err = fmt.Errorf("the script in docs/host.md ended with status %d: %s%s", status, stdout, stderr)
	}
	return err
}

// scriptOfDocs is the first block of sh in docs/host.md.
func scriptOfDocs() (string, error) {
	text, err := os.ReadFile("../../docs/host.md")
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(string(text), "\n```sh\n")
	script, _, found := strings.Cut(after, "\n```\n")
	if !found {
		return "", errors.New("docs/host.md has no block of sh")
	}
	return script, nil
}

// killJob kills whoever has the kernel lock's file open, until nobody has. All are stopped first: the shell would write
// down how its command ended.
func (b *bench) killJob(ctx context.Context) error {
	lock := filepath.Join(b.stateFolder(), "lock")
	return until(ctx, func() (bool, error) {
		holders := openBy(lock)
		for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
			for _, pid := range holders {
				_ = syscall.Kill(pid, signal) // one that has ended is what is wanted
			}
		}
		return len(holders) == 0, nil
	})
}

// openBy are the processes that have a file open.
func openBy(file string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is well formed, the only error there is
	for _, link := range links {
		var pid int
		if to, err := os.Readlink(link); err == nil && to == file {
			if _, err := fmt.Sscanf(link, "/proc/%d/", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
