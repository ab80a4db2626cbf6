package compose_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"rollbackbot/runbook/hosttest"
)

// write has the compose file make the images in another way: the references in it are read by compose alone.
func (b *bench) write(ctx context.Context, as hosttest.Writing) error {
	content, err := os.ReadFile(b.composeFile())
	if err != nil {
		return err
	}
	b.app.Services = slices.Clone(b.app.Services)
	var pins []string
	for i, service := range b.app.Services {
		image := b.Release(hosttest.Current).Images[service.Name]
		from, to, pin := "${"+service.Variable, "", ""
		switch as {
		case hosttest.ByDigest:
			to, pin = image.Name+"@${"+service.Variable, string(image.Digest)
		case hosttest.ByTag:
			to, pin = image.Name+":${"+service.Variable, string(hosttest.Current)
		case hosttest.ByOneTag:
			b.app.Services[i].Variable = "TAG"
			to, pin = image.Name+":${TAG", string(hosttest.Current)
			err = errors.Join(err, b.tag(ctx, service.Name, hosttest.Current, hosttest.Current), b.tag(ctx, service.Name, hosttest.Former, hosttest.Former))
		case hosttest.Fixed:
			if to, pin = from, image.String(); i == 0 {
				to = image.String() + "${NOTHING:-"
			}
		}
		lines := strings.SplitAfter(string(content), "\n")
		for j, line := range lines {
			if strings.Contains(line, from+"}") || strings.Contains(line, from+":") {
				lines[j] = strings.Replace(line, from, to, 1)
				if as == hosttest.ByOneTag {
					lines[j] = strings.TrimSuffix(lines[j], "\n") + b.suffix() + "\n"
				}
			}
		}
		content = []byte(strings.Join(lines, ""))
		pins = append(pins, b.app.Services[i].Variable+"="+pin)
	}
	if err := errors.Join(err, os.WriteFile(b.composeFile(), content, 0o644), os.WriteFile(b.pinsFile(), []byte(strings.Join(slices.Compact(pins), "\n")+"\n"), 0)); err != nil {
		return err
	}
	return b.compose(ctx, "up -d "+strings.Join(b.app.ServiceNames(), " "))
}

// suffix makes the tags of this bench its own: all benches have one engine.
func (b *bench) suffix() string { return "-" + b.app.Name }

// tag has a tag of this bench, which is called as the one release, name a service's image of the other.
func (b *bench) tag(ctx context.Context, service string, called, which hosttest.Which) error {
	image := b.Release(which).Images[service]
	_, err := run(ctx, "docker", "tag", image.String(), image.Name+":"+string(called)+b.suffix())
	return err
}

func (b *bench) retag(ctx context.Context) (err error) {
	for _, service := range b.app.ServiceNames() {
		err = errors.Join(err, b.tag(ctx, service, hosttest.Former, hosttest.Current))
	}
	return err
}
