package compose_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"rollbackbot/internal/compose"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/realhost"
	"rollbackbot/internal/registry"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
	"rollbackbot/ssh"
)

// TestHosts_OnARealHost tries every promise of the port on a real sshd, a real engine and a real compose.
func TestHosts_OnARealHost(t *testing.T) {
	s := newShop(t)
	hosttest.Run(t, func(t *testing.T) hosttest.Bench {
		t.Parallel()
		return newBench(t, s)
	})
	t.Run("a registry that hangs costs a plan no more time than it has", func(t *testing.T) {
		t.Parallel()
		registryHangs(t, newBench(t, s))
	})
	for name, try := range map[string]func(*testing.T, *bench){"docker by sudo": underSudo, "blanks": blanks, "an engine that the profile names": elsewhere,
		"how the stack was started is read from its containers": startedOtherwise} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t, newBench(t, s))
		})
	}
}

// registryHangs asks for more images than could be asked for one after the other: docker waits for 20 s for each.
func registryHangs(t *testing.T, b *bench) {
	var missing []runbook.Image
	for _, image := range b.Release(hosttest.Remote).Images {
		missing = append(missing, image)
	}
	if err := b.Do(t.Context(), hosttest.Silence{}); err != nil {
		t.Fatal(err)
	}
	const planHas = 30 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), planHas)
	defer cancel()
	states, err := b.Hosts().On(b.App(), b.Host()).Images(ctx, missing, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		if state.Registry != runbook.RegistrySilent || state.Note == "" {
			t.Errorf("it is told as %+v", state)
		}
	}
}

// newHosts is what is tried.
func newHosts(shell func(host runbook.Host) shell, registry runbook.Registry) runbook.Hosts {
	return &compose.Hosts{Shell: func(host runbook.Host) compose.Shell { return shell(host) }, Registry: registry}
}

// Find asks the registry from here, unless that is silent.
func (b *bench) Find(ctx context.Context, image runbook.Image, platform string, known []runbook.Image) (runbook.Found, error) {
	if _, err := os.Stat(filepath.Join(b.folder, "silent")); err == nil {
		return runbook.Found{}, errors.New("the registry is silent")
	}
	return registry.Images{}.Find(ctx, image, platform, known)
}

// bench is one app on one host. All is its own but for the lane, which it has for itself meanwhile, and for the images of
// Current and Former, which lie on the one engine.
type bench struct {
	tb     testing.TB
	shop   *shop
	lane   *lane
	app    runbook.App
	folder string // the app's, on the host
	hosts  runbook.Hosts
	link   *link
	remote map[string]runbook.Image // what Remote is, once somebody has asked for it
}

var _ hosttest.Bench = (*bench)(nil)

// newBench deploys the app, and removes it with the test.
func newBench(tb testing.TB, s *shop) *bench {
	tb.Helper()
	b := &bench{tb: tb, shop: s, lane: s.take(tb), folder: newFolder(tb)}
	b.app = newApp(b.folder, runbook.Host(b.lane.sshd.Target()))
	pool, err := ssh.New(ssh.Config{KeyFile: b.lane.sshd.KeyFile(), KnownHosts: b.lane.knownHosts}, quiet)
	if err != nil {
		tb.Fatal(err)
	}
	b.link = &link{shell: pool.Client(b.Host()), cut: b.cut}
	b.hosts = newHosts(func(runbook.Host) shell { return b.link }, b)
	tb.Cleanup(func() {
		if err := pool.Close(); err != nil {
			tb.Error(err)
		}
		b.lane.clear(tb)
		b.down()
	})
	if err := errors.Join(b.writeFiles(), b.deploy(tb.Context(), hosttest.Current)); err != nil {
		tb.Fatal(err)
	}
	return b
}

func (b *bench) Hosts() runbook.Hosts { return b.hosts }
func (b *bench) App() runbook.App     { return b.app }
func (b *bench) Host() runbook.Host   { return b.app.Hosts[0] }

func (b *bench) Release(which hosttest.Which) hosttest.Release {
	switch which {
	case hosttest.Remote:
		if b.remote == nil {
			b.remote = b.pushRemote()
		}
		return hosttest.Release{Images: b.remote}
	case hosttest.Nowhere:
		return hosttest.Release{Images: b.shop.nowhere()}
	}
	return b.shop.release(which)
}

// Job is a script of the bench, which counts its beginnings by itself.
func (b *bench) Job(name string, does hosttest.Doing) runbook.Job {
	output := filepath.Join(b.folder, "output-"+strconv.Itoa(does.Prints))
	if err := os.WriteFile(output, hosttest.Output(does.Prints), 0o644); err != nil {
		b.tb.Fatal(err)
	}
	words := []string{b.jobScript(), b.count(name), output, strconv.FormatFloat(does.Takes.Seconds(), 'f', 3, 64), strconv.Itoa(does.Status)}
	return runbook.Job{Name: name, Limit: 10 * time.Minute, Command: runbook.Command{Args: words, Dir: b.folder}}
}

// count is the file in which a job's beginnings are lines.
func (b *bench) count(job string) string { return filepath.Join(b.folder, "began", job) }

func (b *bench) Ran(_ context.Context, job string) (int, error) {
	content, err := os.ReadFile(b.count(job))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return strings.Count(string(content), "\n"), err
}

// Rest has besides where a link leads: one that became a file is another pins file.
func (b *bench) Rest(context.Context) (string, error) {
	content, err := os.ReadFile(b.pinsFile())
	if err != nil {
		return "", err
	}
	owner, err := ownerAndMode(b.pinsFile())
	if err != nil {
		return "", err
	}
	link, _ := os.Readlink(b.pinsFile()) // "" where it is none
	return realhost.WithoutPins(string(content)) + "\n" + owner + "\n" + link, nil
}
