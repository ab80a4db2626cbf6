package demohost

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the stand-in is a stand-in for.
const (
	engineVersion  = "28.2.2"
	composeVersion = "5.6.0"
)

type versionView struct {
	Client, Server struct{ Version, Os, Arch string }
}

func (c *call) version(args []string) error {
	flags := newFlags()
	format := flags.StringP("format", "f", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := wantArguments(flags, "docker version", 0, true); err != nil {
		return err
	}
	if *format == "" {
		return unsupported("`version` without --format")
	}
	var view versionView
	view.Client.Version, view.Server.Version = engineVersion, engineVersion
	view.Server.Os, view.Server.Arch = runtime.GOOS, runtime.GOARCH
	return printAll(c.stdout, *format, []any{view})
}

type infoView struct {
	ServerVersion, DockerRootDir  string
	Containers, ContainersRunning int
	Images                        int
	DriverStatus                  [][2]string
}

func (c *call) info(args []string) error {
	flags := newFlags()
	format := flags.StringP("format", "f", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := wantArguments(flags, "docker info", 0, true); err != nil {
		return err
	}
	if *format == "" {
		return unsupported("`info` without --format")
	}
	s, err := c.host.read()
	if err != nil {
		return err
	}
	view := infoView{ServerVersion: engineVersion, DockerRootDir: c.host.engine(), Containers: len(s.Containers), Images: len(s.Images)}
	for _, one := range s.Containers {
		if one.Status == statusRunning {
			view.ContainersRunning++
		}
	}
	return printAll(c.stdout, *format, []any{view})
}

func (c *call) ps(args []string) error {
	flags := newFlags()
	all := flags.BoolP("all", "a", false, "")
	quiet := flags.BoolP("quiet", "q", false, "")
	whole := flags.Bool("no-trunc", false, "")
	filters := flags.StringArrayP("filter", "f", nil, "")
	format := flags.String("format", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := wantArguments(flags, "docker ps", 0, true); err != nil {
		return err
	}
	if *quiet == (*format != "") {
		return unsupported("`ps` without one of --quiet and --format")
	}
	for _, filter := range *filters {
		if !strings.HasPrefix(filter, "label=") {
			return unsupported(fmt.Sprintf("the filter %q", filter))
		}
	}
	s, err := c.host.read()
	if err != nil {
		return err
	}
	var listed []any
	for _, one := range slices.Backward(s.Containers) { // the newest first
		if !one.matches(*filters) || !*all && !one.alive() {
			continue
		}
		if *format != "" {
			listed = append(listed, listedContainer{one})
			continue
		}
		id := one.ID
		if !*whole {
			id = short(id)
		}
		fmt.Fprintln(c.stdout, id)
	}
	if *format == "" {
		return nil
	}
	return printAll(c.stdout, *format, listed)
}

// listedContainer is a container as the format of `ps` sees it.
type listedContainer struct{ container }

// Label is the value of one of its labels; "" where it has none.
func (c listedContainer) Label(key string) string { return c.Labels[key] }

// matches reports whether a container is what every filter wants: label=KEY or label=KEY=VALUE.
func (c container) matches(filters []string) bool {
	for _, filter := range filters {
		key, value, valued := strings.Cut(strings.TrimPrefix(filter, "label="), "=")
		if got, ok := c.Labels[key]; !ok || valued && got != value {
			return false
		}
	}
	return true
}

// logs prints what a container's program wrote, its last lines alone where so many are asked for.
func (c *call) logs(args []string) error {
	flags := newFlags()
	tail := flags.StringP("tail", "n", "all", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := wantArguments(flags, "docker logs", 1, true); err != nil {
		return err
	}
	s, err := c.host.read()
	if err != nil {
		return err
	}
	found, ok := s.find(flags.Arg(0))
	if !ok {
		return daemonError("No such container: " + flags.Arg(0))
	}
	content, err := os.ReadFile(c.host.container(found.ID, "log"))
	if err != nil && !os.IsNotExist(err) { // a container that was never started has none
		return err
	}
	lines := strings.SplitAfter(string(content), "\n")
	if n, err := strconv.Atoi(*tail); err == nil && n >= 0 {
		lines = lines[max(0, len(lines)-1-n):] // behind the last line break there is nothing
	}
	_, err = io.WriteString(c.stdout, strings.Join(lines, ""))
	return err
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
