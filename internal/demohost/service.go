package demohost

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	"go.yaml.in/yaml/v3"
)

// service is one service of a compose file, read in YAML and rendered in JSON as compose renders it.
type service struct {
	Command     []string              `yaml:"command" json:"command"`
	DependsOn   map[string]dependency `yaml:"depends_on" json:"depends_on,omitempty"`
	Deploy      *deploy               `yaml:"deploy" json:"deploy,omitempty"`
	Environment map[string]*string    `yaml:"environment" json:"environment,omitempty"`
	Image       string                `yaml:"image" json:"image"`
	Ports       []port                `yaml:"ports" json:"ports,omitempty"`
	Restart     string                `yaml:"restart" json:"restart,omitempty"`
	Scale       *int                  `yaml:"scale" json:"scale,omitempty"`
	Volumes     []mount               `yaml:"volumes" json:"volumes,omitempty"`
}

type dependency struct {
	Condition string `yaml:"condition" json:"condition"`
	Required  bool   `yaml:"-" json:"required"`
}

type deploy struct {
	Replicas *int `yaml:"replicas" json:"replicas,omitempty"`
}

// port is "ADDRESS:PUBLISHED:TARGET", the one short form that is understood.
type port struct {
	Mode      string `json:"mode"`
	HostIP    string `json:"host_ip"`
	Target    int    `json:"target"`
	Published string `json:"published"`
	Protocol  string `json:"protocol"`
}

// UnmarshalYAML reads the short form.
func (p *port) UnmarshalYAML(node *yaml.Node) error {
	var text string
	if err := node.Decode(&text); err != nil {
		return err
	}
	words := strings.Split(text, ":")
	if len(words) != 3 || net.ParseIP(words[0]) == nil {
		return fmt.Errorf("line %d: invalid port %q: only ADDRESS:PUBLISHED:TARGET is understood here", node.Line, text)
	}
	*p = port{Mode: "ingress", HostIP: words[0], Published: words[1], Protocol: "tcp"}
	for _, number := range []string{words[1], words[2]} {
		if _, err := fmt.Sscanf(number, "%d", &p.Target); err != nil || p.Target < 1 || p.Target > 65535 {
			return fmt.Errorf("line %d: invalid containerPort: %s", node.Line, number)
		}
	}
	return nil
}

// mount is "VOLUME:TARGET".
type mount struct {
	Type   string   `json:"type"`
	Source string   `json:"source"`
	Target string   `json:"target"`
	Volume struct{} `json:"volume"`
}

// UnmarshalYAML reads the short form.
func (m *mount) UnmarshalYAML(node *yaml.Node) error {
	source, target, ok := strings.Cut(node.Value, ":")
	if node.Kind != yaml.ScalarNode || !ok || source == "" || strings.ContainsAny(source, "/.~") {
		return fmt.Errorf("line %d: invalid volume: only VOLUME:TARGET is understood here", node.Line)
	}
	*m = mount{Type: "volume", Source: source, Target: target}
	return nil
}

// check finishes what was read: variables without a value come from the environment.
func (s *service) check(name string, get lookup) error {
	if s == nil || s.Image == "" {
		return fmt.Errorf("service %q has neither an image nor a build context specified: invalid compose project", name)
	}
	for variable, value := range s.Environment {
		if value != nil {
			continue
		}
		if set, ok := get(variable); ok {
			s.Environment[variable] = &set
		}
	}
	for other, d := range s.DependsOn {
		d.Required = true
		s.DependsOn[other] = d
	}
	switch s.Restart {
	case "", "no", "always", "unless-stopped", "on-failure":
		return nil
	}
	return errors.New("invalid restart policy: unknown policy '" + s.Restart + "'")
}

// hash is compose's config hash: of the whole service, but for what changes no container of it.
func (s *service) hash() string {
	same := *s
	same.DependsOn, same.Deploy, same.Scale = nil, nil, nil
	content, err := json.Marshal(same)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return strings.TrimPrefix(digestOf(content), "sha256:")
}

// replicas is how many containers of it the file asks for.
func (s *service) replicas() int {
	switch {
	case s.Scale != nil:
		return *s.Scale
	case s.Deploy != nil && s.Deploy.Replicas != nil:
		return *s.Deploy.Replicas
	}
	return 1
}

// listen is where its first published port is to be reached; "" where it publishes none.
func (s *service) listen() string {
	if len(s.Ports) == 0 {
		return ""
	}
	return net.JoinHostPort(s.Ports[0].HostIP, s.Ports[0].Published)
}
