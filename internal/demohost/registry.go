package demohost

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// manifestInspect prints what the registry says an image consists of.
func (c *call) manifestInspect(args []string) error {
	flags := newFlags()
	flags.Bool("insecure", false, "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := wantArguments(flags, "docker manifest inspect", 1, true); err != nil {
		return err
	}
	found, ok := imageOf(flags.Arg(0))
	if !ok {
		return fmt.Errorf("no such manifest: %s", flags.Arg(0))
	}
	_, err := fmt.Fprintf(c.stdout, "%s\n", found.manifest())
	return err
}

// pull fetches an image from the registry, telling of each layer as docker does where there is no terminal.
func (c *call) pull(args []string) error {
	flags := newFlags()
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := wantArguments(flags, "docker pull", 1, true); err != nil {
		return err
	}
	ref := flags.Arg(0)
	found, ok := imageOf(ref)
	if !ok {
		return daemonError(fmt.Sprintf("manifest for %s not found: manifest unknown: manifest unknown", ref))
	}
	s, err := c.host.read()
	if err != nil {
		return err
	}
	label := strings.TrimPrefix(ref, found.repository)[1:]
	fmt.Fprintf(c.stdout, "%s: Pulling from %s\n", label, found.repository[strings.IndexByte(found.repository, '/')+1:])
	status := "Image is up to date for"
	if _, here := s.image(ref); !here {
		status = "Downloaded newer image for"
		c.fetch(found, s)
		if err := c.host.keep(found); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.stdout, "Digest: %s\nStatus: %s %s\n%s\n", found.digest(), status, ref, ref)
	return err
}

// fetch takes its time for the layers that the host doesn't have yet.
func (c *call) fetch(i image, s state) {
	var missing []layer
	for _, l := range i.layers {
		if s.hasLayer(l) {
			fmt.Fprintf(c.stdout, "%s: Already exists\n", short(l.Digest))
			continue
		}
		fmt.Fprintf(c.stdout, "%s: Pulling fs layer\n", short(l.Digest))
		missing = append(missing, l)
	}
	stages := []string{"Verifying Checksum", "Download complete", "Pull complete"}
	for _, l := range missing {
		for _, stage := range stages {
			time.Sleep(s.Pace.Pull / time.Duration(len(missing)*len(stages)))
			fmt.Fprintf(c.stdout, "%s: %s\n", short(l.Digest), stage)
		}
	}
}

func (s state) hasLayer(wanted layer) bool {
	return slices.ContainsFunc(s.Images, func(ref string) bool {
		i, ok := imageOf(ref)
		return ok && slices.Contains(i.layers, wanted)
	})
}

// keep notes that an image lies on the host now.
func (f folder) keep(i image) error {
	return f.update(func(s *state) error {
		if !slices.Contains(s.Images, i.ref()) {
			s.Images = append(s.Images, i.ref())
		}
		return nil
	})
}
