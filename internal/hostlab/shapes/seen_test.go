package shapes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// seen is all of a host that a rollback could change.
type seen struct {
	containers []container
	files      map[string]string // below the app's folder: kind, owner, mode, and what is in it
}

type container struct {
	ID, Name       string
	Project        string
	Service        string
	OneOff         string
	Version, Role  string // of its image
	Image, Started string
	State          string
	Restarts       int
	Network        string
}

// look sees the host. Containers that restart for ever, as a sick one may, are as they are.
func (s *stage) look(t *testing.T) seen {
	t.Helper()
	v := seen{files: map[string]string{}}
	out := s.Script(t, `docker ps --all --quiet --no-trunc | xargs --no-run-if-empty docker inspect --format '{"ID":"{{.Id}}","Name":"{{.Name}}","Project":"{{index .Config.Labels "com.docker.compose.project"}}","Service":"{{index .Config.Labels "com.docker.compose.service"}}","OneOff":"{{index .Config.Labels "com.docker.compose.oneoff"}}","Version":"{{index .Config.Labels "org.opencontainers.image.version"}}","Role":"{{.Config.Labels.role}}","Image":"{{.Image}}","Started":"{{.State.StartedAt}}","State":"{{.State.Status}}","Restarts":{{.RestartCount}},"Network":"{{.HostConfig.NetworkMode}}"}'`)
	for line := range strings.Lines(out) {
		var c container
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		v.containers = append(v.containers, c)
	}
	out = s.Script(t, `find /opt /srv /home/deploy/.docker /etc/sudoers.d /etc/profile.d 2>/dev/null | while read -r f; do
	printf '%s\t%s\t' "$f" "$(stat --format '%F %U:%G %a %N' "$f" | sed 's/^regular empty /regular /')"
	[ -L "$f" ] || [ ! -f "$f" ] || base64 --wrap 0 "$f"
	echo
done`)
	for line := range strings.Lines(out) {
		words := strings.Split(strings.TrimRight(line, "\n"), "\t")
		content, err := base64.StdEncoding.DecodeString(words[2])
		if err != nil {
			t.Fatal(err)
		}
		v.files[words[0]] = words[1] + "\n" + string(content)
	}
	return v
}

// services are the app's containers by service; those of one-off runs are not among them.
func (v seen) services(project string) map[string][]container {
	all := map[string][]container{}
	for _, c := range v.containers {
		if c.Project == project && c.OneOff != "True" {
			all[c.Service] = append(all[c.Service], c)
		}
	}
	return all
}

// project is what the containers of the first planned service call the app.
func (v seen) project(shape Shape) string {
	for _, c := range v.containers {
		if _, planned := shape.Images[c.Service]; planned && c.Project != "blog" {
			return c.Project
		}
	}
	return ""
}

// rolledBack says what is wrong on a host after a rollback from what was seen before; nothing where all is right.
func (shape Shape) rolledBack(before, after seen, pinsFiles []string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	project := before.project(shape)
	was, is := before.services(project), after.services(project)
	for service, role := range shape.Images {
		if len(was[service]) != len(is[service]) {
			say("%s runs in %d containers, and ran in %d", service, len(is[service]), len(was[service]))
		}
		for _, c := range is[service] {
			if c.Version != "v1" || c.Role != role || c.State != "running" {
				say("%s is %s with %s of %s", service, c.State, c.Role, c.Version)
			}
		}
	}
	ids := map[string]container{}
	for _, c := range after.containers {
		ids[c.ID] = c
	}
	for _, c := range before.containers {
		_, planned := shape.Images[c.Service]
		if c.Project == project && project != "" && (planned || slices.Contains(shape.Moves, c.Service)) {
			continue
		}
		if now, there := ids[c.ID]; !there {
			say("%s, which is not in the plan, is gone or another one", c.Name)
		} else if now != c {
			say("%s, which is not in the plan, is\n%+v\nand was\n%+v", c.Name, now, c)
		}
	}
	for _, service := range shape.Moves {
		for _, c := range is[service] {
			other, joined := strings.CutPrefix(c.Network, "container:")
			if _, there := ids[other]; c.State != "running" || joined && !there {
				say("%s is %s, in the network %s", service, c.State, c.Network)
			}
		}
	}
	return append(wrong, shape.filesChanged(before, after, pinsFiles)...)
}

// filesChanged says which files are others than before. Of the pins' file the lines of the pins may be.
func (shape Shape) filesChanged(before, after seen, pinsFiles []string) (wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(before.files)) {
		was, is := before.files[name], after.files[name]
		if slices.Contains(pinsFiles, name) {
			was, is = shape.withoutPins(was), shape.withoutPins(is)
		}
		if was != is {
			wrong = append(wrong, fmt.Sprintf("%s is %q, and was %q", name, is, was))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after.files)) {
		if _, there := before.files[name]; !there && !slices.Contains(pinsFiles, name) {
			wrong = append(wrong, name+" was left behind")
		}
	}
	return wrong
}

// withoutPins are the lines of a pins file that are not a planned variable's, without line ends: a pin that is written to a
// file whose last line has none ends that line.
func (shape Shape) withoutPins(content string) string {
	kept := []string{}
	for line := range strings.Lines(content) {
		name, _, _ := strings.Cut(line, "=")
		if !slices.ContainsFunc(shape.variables(), func(variable string) bool { return strings.HasSuffix(strings.TrimSpace(name), variable) }) {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(kept, "\n")
}

// variables are those of IMAGES, after a remedy, too.
func (shape Shape) variables() []string {
	return slices.AppendSeq(slices.Collect(maps.Values(shape.planned())), maps.Values(shape.followed().planned()))
}
