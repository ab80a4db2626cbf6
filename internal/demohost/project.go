package demohost

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// project is a compose file with its variables filled in.
type project struct {
	Name     string              `json:"name"`
	Services map[string]*service `json:"services"`
	Volumes  map[string]volume   `json:"volumes,omitempty"`

	file     string   // the compose file, absolute
	warnings []string // the variables that are blank, once for each place
}

// composeFile is what the stand-in understands of a compose file. Whatever else stands in one is refused.
type composeFile struct {
	Name     string              `yaml:"name"`
	Services map[string]*service `yaml:"services"`
	Volumes  map[string]struct{} `yaml:"volumes"`
}

type volume struct {
	Name string `json:"name"`
}

// loadProject reads a compose file with the environment file beside it. The environment wins over that file.
func loadProject(file string, environment lookup) (*project, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("compose file %q is invalid: %w", file, err)
	}
	values, err := readDotenv(filepath.Join(filepath.Dir(file), ".env"), environment)
	if err != nil {
		return nil, err
	}
	p := &project{file: file}
	get := func(name string) (string, bool) {
		if value, ok := environment(name); ok {
			return value, true
		}
		value, ok := values[name]
		return value, ok
	}
	return p, p.parse(content, get)
}

func (p *project) parse(content []byte, get lookup) error {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return fmt.Errorf("parsing %s: %w", p.file, err)
	}
	unset := func(name string) { p.warnings = append(p.warnings, name) }
	if err := fill(&document, "", get, unset); err != nil {
		return err
	}
	filled, err := yaml.Marshal(&document)
	if err != nil {
		return fmt.Errorf("parsing %s: %w", p.file, err)
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(filled)))
	decoder.KnownFields(true)
	var parsed composeFile
	if err := decoder.Decode(&parsed); err != nil {
		return fmt.Errorf("validating %s: %w", p.file, err)
	}
	return p.take(parsed, get)
}

// fill interpolates every value of a document. at is where it stands, as compose names it in errors.
func fill(node *yaml.Node, at string, get lookup, unset func(string)) error {
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			node.Value = "null" // an empty one would be written as an empty text in a flow mapping
			return nil
		}
		value, err := interpolate(node.Value, get, unset)
		if err != nil {
			return fmt.Errorf("error while interpolating %s: %w", at, err)
		}
		if value != node.Value {
			setValue(node, value)
		}
		return nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if err := fill(node.Content[i+1], strings.TrimPrefix(at+"."+node.Content[i].Value, "."), get, unset); err != nil {
				return err
			}
		}
		return nil
	}
	for i, child := range node.Content {
		inner := at
		if node.Kind == yaml.SequenceNode {
			inner = fmt.Sprintf("%s[%d]", at, i)
		}
		if err := fill(child, inner, get, unset); err != nil {
			return err
		}
	}
	return nil
}

// setValue makes a plain number a number again, and whatever else a variable holds a text.
func setValue(node *yaml.Node, value string) {
	if _, err := strconv.Atoi(value); err == nil && node.Style == 0 {
		node.Tag, node.Value = "", value
		return
	}
	node.SetString(value)
}

func (p *project) take(parsed composeFile, get lookup) error {
	if len(parsed.Services) == 0 {
		return errors.New("empty compose file")
	}
	p.Name = parsed.Name
	if p.Name == "" {
		p.Name = strings.ToLower(filepath.Base(p.folder()))
	}
	p.Services = parsed.Services
	for _, name := range p.serviceNames() {
		if err := p.Services[name].check(name, get); err != nil {
			return err
		}
	}
	for name := range parsed.Volumes {
		if p.Volumes == nil {
			p.Volumes = map[string]volume{}
		}
		p.Volumes[name] = volume{Name: p.Name + "_" + name}
	}
	return nil
}

// folder is the project directory: the compose file's.
func (p *project) folder() string { return filepath.Dir(p.file) }

func (p *project) serviceNames() []string { return slices.Sorted(maps.Keys(p.Services)) }
