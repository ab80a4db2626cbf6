package demohost

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// compose runs `docker compose …`.
func (c *call) compose(args []string) error {
	flags := newFlags()
	flags.SetInterspersed(false)
	files := flags.StringArrayP("file", "f", nil, "")
	if err := parseCompose(flags, args); err != nil {
		return err
	}
	words := flags.Args()
	if len(words) == 0 {
		return unsupported("`compose` without a command")
	}
	switch words[0] {
	case "version":
		return c.composeVersion(words[1:])
	case "config":
		return c.composeConfig(*files, words[1:])
	case "up":
		return c.composeUp(*files, words[1:])
	}
	return fmt.Errorf("unknown docker command: %q", "compose "+words[0])
}

// parseCompose is parse, with the status that compose has for flags that it doesn't know.
func parseCompose(flags *pflag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return &usageError{text: err.Error(), status: 1}
	}
	return nil
}

func (c *call) composeVersion(args []string) error {
	flags := newFlags()
	brief := flags.Bool("short", false, "")
	if err := parseCompose(flags, args); err != nil {
		return err
	}
	text := "Docker Compose version v" + composeVersion
	if *brief {
		text = composeVersion
	}
	_, err := fmt.Fprintln(c.stdout, text)
	return err
}

// project reads the compose file of a call, and warns of blanks.
func (c *call) project(files []string) (*project, error) {
	if len(files) != 1 {
		return nil, unsupported(fmt.Sprintf("%d compose files: it wants one, by -f", len(files)))
	}
	file := files[0]
	if !filepath.IsAbs(file) {
		file = filepath.Join(c.dir, file)
	}
	p, err := loadProject(file, c.environment)
	if p != nil {
		for _, name := range p.warnings {
			fmt.Fprintf(c.stderr, "time=%q level=warning msg=%q\n", time.Now().UTC().Format(time.RFC3339),
				fmt.Sprintf("The %q variable is not set. Defaulting to a blank string.", name))
		}
	}
	return p, err
}

func (c *call) composeConfig(files, args []string) error {
	flags := newFlags()
	format := flags.String("format", "", "")
	hash := flags.String("hash", "", "")
	if err := parseCompose(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return unsupported("`config` of some services")
	}
	p, err := c.project(files)
	switch {
	case err != nil:
		return err
	case *hash != "":
		return c.printHashes(p, *hash)
	case *format != "json":
		return unsupported("`config` in another form than JSON")
	}
	text, err := toJSON(p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, text)
	return err
}

func (c *call) printHashes(p *project, wanted string) error {
	names := strings.Split(wanted, ",")
	if wanted == "*" {
		names = p.serviceNames()
	}
	for _, name := range names {
		s, ok := p.Services[name]
		if !ok {
			return fmt.Errorf("no such service: %s", name)
		}
		if _, err := fmt.Fprintf(c.stdout, "%s %s\n", name, s.hash()); err != nil {
			return err
		}
	}
	return nil
}

// composeUp understands `up` as a rollback runs it: the named services alone, nothing fetched, nobody watching.
func (c *call) composeUp(files, args []string) error {
	flags := newFlags()
	detach := flags.BoolP("detach", "d", false, "")
	alone := flags.Bool("no-deps", false, "")
	pull := flags.String("pull", "policy", "")
	scales := flags.StringArray("scale", nil, "")
	if err := parseCompose(flags, args); err != nil {
		return err
	}
	if !*detach || !*alone || *pull != "never" || flags.NArg() == 0 {
		return unsupported("`up` without -d, --no-deps, --pull never and the names of services")
	}
	p, err := c.project(files)
	if err != nil {
		return err
	}
	replicas, err := p.scaled(*scales)
	if err != nil {
		return err
	}
	for _, name := range flags.Args() {
		if p.Services[name] == nil {
			return fmt.Errorf("no such service: %s", name)
		}
	}
	for _, name := range flags.Args() {
		if err := (&bringUp{call: c, project: p, name: name, service: p.Services[name]}).to(replicas[name]); err != nil {
			return err
		}
	}
	return nil
}

// scaled gives how many containers each service shall have: what --scale says, or else the file.
func (p *project) scaled(scales []string) (map[string]int, error) {
	replicas := map[string]int{}
	for name, s := range maps.All(p.Services) {
		replicas[name] = s.replicas()
	}
	for _, scale := range scales {
		name, number, _ := strings.Cut(scale, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("invalid --scale option %q. Should be SERVICE=NUM", scale)
		}
		if !slices.Contains(p.serviceNames(), name) {
			return nil, fmt.Errorf("no such service: %s", name)
		}
		replicas[name] = n
	}
	return replicas, nil
}
