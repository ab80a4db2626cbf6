package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rollbackbot/internal/compose"
	"rollbackbot/runbook"
)

// Read asks compose for what containers don't tell: through which variable each service takes its image, and whether the
// files alone give what runs. The stack's values are read and dropped; an error quotes none.
func (e Engine) Read(ctx context.Context, s *Stack) error {
	if err := e.usable(*s); err != nil {
		return err
	}
	source, err := e.source(ctx, *s)
	if err != nil {
		return err
	}
	images, err := e.probe(ctx, *s, source)
	if err != nil {
		return err
	}
	for i := range s.Services {
		service := &s.Services[i]
		raw, there := source.services[service.Name]
		service.Profiles = raw.Profiles
		service.Built = there && raw.Image == ""
		service.Variable, service.Form = probed(images[service.Name], source.variables)
		if service.Variable == "" {
			// sudo lets no variable of ours through where sudoers resets the environment: then the file's own text decides.
			service.Variable, service.Form = formOf(raw.Image)
		}
	}
	return e.settle(ctx, s)
}

// usable refuses what can't be called from elsewhere, or written into a line.
func (e Engine) usable(s Stack) error {
	const again = "Deploy it once with `docker compose up -d` from the stack's folder, then run this again"
	switch {
	case strings.HasPrefix(s.Version, "1."):
		return e.Problem(again, "the project %s was started by Compose v1 (%.20q)", s.Project, s.Version)
	case len(s.Files) == 0 || !strings.HasPrefix(s.Dir, "/"):
		return e.Problem(again, "the containers of %s don't say with which compose files they were started", s.Project)
	}
	for _, file := range append([]string{s.Dir}, s.Files...) {
		if file == "-" || strings.Contains(file, "://") || strings.ContainsFunc(file, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return e.Problem("Deploy it once from files that stay on the host, then run this again",
				"%s was started from %.60q, which no later command can read again", s.Project, file)
		}
	}
	return nil
}

// stackSource is what the compose files say before values are put in.
type stackSource struct {
	services  map[string]sourceService // nil where compose doesn't print them
	variables []string                 // that may stand in an image's place
}

type sourceService struct {
	Image    string   `json:"image"`
	Profiles []string `json:"profiles"`
}

// source asks for the files as they stand. Compose prints that since 2.24.7 (its commit "restore support for `config
// --no-interpolate`"); before, it fails wherever a variable stands in a number's place, as of a port. Then the names of
// variables are taken from the lines about images, and probe finds out which counts.
func (e Engine) source(ctx context.Context, s Stack) (stackSource, error) {
	r, err := e.Ask(ctx, s.compose(e, "config", "--no-interpolate", "--format", "json"))
	if err != nil {
		return stackSource{}, err
	}
	var file struct {
		Services map[string]sourceService `json:"services"`
	}
	var source stackSource
	var texts string
	if r.Status == 0 && json.Unmarshal(r.Stdout, &file) == nil {
		source.services = file.Services
		for _, service := range s.Services {
			texts += file.Services[service.Name].Image + "\n"
		}
	} else {
		words := append([]string{"sh", "-c", `grep -h image -- "$@" | grep -oE '[$][{]?[A-Za-z_][A-Za-z0-9_]*'; exit 0`, "rollbackbot"}, s.Files...)
		if r, err = e.Ask(ctx, runbook.Command{Args: words, Dir: s.Dir}); err != nil {
			return stackSource{}, err
		}
		texts = string(r.Stdout)
	}
	for _, m := range namedVariable.FindAllStringSubmatch(texts, -1) {
		if !slices.Contains(source.variables, m[1]) {
			source.variables = append(source.variables, m[1])
		}
	}
	return source, nil
}

var namedVariable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// compose calls compose as the stack was started.
func (s Stack) compose(e Engine, args ...string) runbook.Command {
	_, words := e.Words()
	words = append(slices.Clone(words), "-p", s.Project)
	for _, file := range s.Files {
		words = append(words, "-f", file)
	}
	for _, file := range s.envFiles {
		words = append(words, "--env-file", file)
	}
	return runbook.Command{Args: append(words, args...), Dir: s.Dir}
}

// probe renders the stack with a mark in each variable's place. Services are named, so that those behind a profile are there.
func (e Engine) probe(ctx context.Context, s Stack, source stackSource) (images map[string]string, err error) {
	var marks []string
	for i, variable := range source.variables {
		marks = append(marks, variable+"="+mark(i))
	}
	r, err := e.Ask(ctx, s.rendering(e, source, marks))
	if err != nil {
		return nil, err
	}
	if r.Status != 0 {
		return nil, e.unreadable(s, r)
	}
	return imagesOf(r.Stdout)
}

// mark stands in for a whole reference, a tag and a digest alike: compose checks none of them before it needs an image.
func mark(i int) string { return "rollbackbot-mark-" + strconv.Itoa(i) }

func probed(image string, variables []string) (string, Form) {
	for i, variable := range variables {
		switch before, marked := strings.CutSuffix(image, mark(i)); {
		case !marked:
		case before == "":
			return variable, Reference
		case strings.HasSuffix(before, "@"):
			return variable, Digest
		case strings.HasSuffix(before, ":"):
			return variable, Tag
		}
	}
	return "", ""
}

// formOf reads an image as the compose file has it: a variable at its end, alone or after @ or :.
func formOf(image string) (string, Form) {
	image = strings.ReplaceAll(image, "$$", "$") // as Compose before 2.24 prints each $; no image holds one of its own
	start := namedVariable.FindAllStringSubmatchIndex(image, -1)
	for _, at := range start {
		name, rest := image[at[2]:at[3]], image[at[3]:]
		if image[at[0]+1] == '{' && !closes(rest) || image[at[0]+1] != '{' && rest != "" {
			continue
		}
		switch before := image[:at[0]]; {
		case before == "":
			return name, Reference
		case strings.HasSuffix(before, "@"):
			return name, Digest
		case strings.HasSuffix(before, ":"):
			return name, Tag
		}
		return "", ""
	}
	return "", ""
}

// closes reports whether the brace that is open at the beginning of a text closes at its end.
func closes(text string) bool {
	depth := 1
	for i, c := range text {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return i == len(text)-1
		}
	}
	return false
}

func (s Stack) rendering(e Engine, source stackSource, env []string) runbook.Command {
	words := []string{"config", "--format", "json"}
	if source.services == nil {
		words = append([]string{"--profile", "*"}, words...) // all of them: since 2.0, see compose-go 1.0's ApplyProfiles
	}
	for _, service := range s.Services {
		if _, there := source.services[service.Name]; there {
			words = append(words, service.Name)
		}
	}
	cmd := s.compose(e, words...)
	cmd.Env = env
	return cmd
}

func imagesOf(output []byte) (map[string]string, error) {
	var file struct {
		Services map[string]struct {
			Image string `json:"image"`
		} `json:"services"`
	}
	if json.Unmarshal(output, &file) != nil {
		return nil, errors.New("compose printed no JSON")
	}
	images := map[string]string{}
	for name, service := range file.Services {
		images[name] = service.Image
	}
	return images, nil
}

// requiredVariable is how compose names a ${NAME:?} without a value. What follows is the file's own text.
var requiredVariable = regexp.MustCompile(`required variable ([A-Za-z_][A-Za-z0-9_]*) is missing`)

// unreadable says why compose can't render a stack. Compose's own words may quote values, and are left out.
func (e Engine) unreadable(s Stack, r compose.Answer) error {
	if m := requiredVariable.FindSubmatch(r.Stderr); m != nil {
		return e.Problem(fmt.Sprintf("Write it into the .env file beside %s, as the deployment exports it", s.Files[0]),
			"compose can't read %s in a login shell of the SSH user: the variable %s has no value there", s.Project, m[1])
	}
	return e.Problem(fmt.Sprintf("Run `%s` there in a login shell of the SSH user, and fix what it says", s.compose(e, "config", "--quiet")),
		"compose can't read %s (status %d)", s.Project, r.Status)
}

// settle finds the folder in which the files alone give the images that run. Compose reads the .env of the folder that it is
// called in, too, and that one wins (cmd/compose/compose.go, toProjectOptions: "Load PWD/.env"): people who call it from a
// folder above the compose file have theirs there.
func (e Engine) settle(ctx context.Context, s *Stack) error {
	const script = `d=$PWD; n=0; while [ "$d" != / ] && [ "$n" -lt 3 ]; do d=$(dirname "$d"); n=$((n+1)); [ -f "$d/.env" ] && printf "%s\n" "$d"; done; exit 0`
	r, err := e.Ask(ctx, runbook.Command{Args: []string{"sh", "-c", script}, Dir: s.Dir})
	if err != nil {
		return err
	}
	if len(s.envFiles) > 0 {
		last := s.envFiles[len(s.envFiles)-1]
		if !path.IsAbs(last) {
			last = path.Join(s.Dir, last)
		}
		s.EnvFile = last
	}
	own := s.Dir
	for _, dir := range append([]string{own}, foldersOf(r.Stdout)...) {
		moved := *s
		moved.Dir, moved.Files = dir, moved.absolute(own)
		moved.Files = relative(dir, moved.Files)
		if moved.gives(ctx, e) {
			*s = moved
			s.Pinned = true
			if dir != own && len(s.envFiles) == 0 {
				s.EnvFile = path.Join(dir, ".env")
			}
			return nil
		}
	}
	return nil
}

func foldersOf(output []byte) (lines []string) {
	for line := range strings.Lines(string(output)) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "/") {
			lines = append(lines, line)
		}
	}
	return lines
}

func (s Stack) absolute(dir string) []string {
	files := slices.Clone(s.Files)
	for i, file := range files {
		if !path.IsAbs(file) {
			files[i] = path.Join(dir, file)
		}
	}
	return files
}

// gives reports whether compose renders, without any variable from us, the images that run.
func (s Stack) gives(ctx context.Context, e Engine) bool {
	r, err := e.Ask(ctx, s.rendering(e, stackSource{services: s.known()}, nil))
	if err != nil || r.Status != 0 {
		return false
	}
	images, err := imagesOf(r.Stdout)
	if err != nil {
		return false
	}
	for _, service := range s.Services {
		if service.Variable != "" && images[service.Name] != service.Image {
			return false
		}
	}
	return true
}

// known are the services whose image a variable gives.
func (s Stack) known() map[string]sourceService {
	known := map[string]sourceService{}
	for _, service := range s.Services {
		if service.Variable != "" {
			known[service.Name] = sourceService{}
		}
	}
	return known
}
