package demohost

import (
	"errors"
	"fmt"
	"slices"
)

// containerView is a container as `inspect` shows it: the part of docker's answer that the stand-in can fill.
type containerView struct {
	ID           string `json:"Id"`
	Created      string
	Path         string
	Args         []string
	State        *stateView
	Image        string
	Name         string
	RestartCount int
	HostConfig   *hostConfigView
	Config       *configView
}

type stateView struct {
	Status     string
	Running    bool
	Restarting bool
	Pid        int
	ExitCode   int
	StartedAt  string
	FinishedAt string
	Health     *healthView `json:",omitempty"`
}

// healthView is what a HEALTHCHECK says; the shop's images have none.
type healthView struct{ Status string }

type hostConfigView struct {
	RestartPolicy struct{ Name string }
	PortBindings  []string
	NetworkMode   string
	IpcMode       string
	PidMode       string
	VolumesFrom   []string
}

type configView struct {
	Env    []string
	Cmd    []string
	Image  string
	Labels map[string]string
}

func (c container) view() containerView {
	v := containerView{
		ID: c.ID, Created: timestamp(c.Created), Path: c.Command[0], Args: c.Command[1:], Image: c.ImageID, Name: "/" + c.Name, RestartCount: c.Restarts,
		State: &stateView{
			Status: c.Status, Running: c.alive(), Restarting: c.Status == statusRestarting, ExitCode: c.ExitStatus,
			StartedAt: timestamp(c.Started), FinishedAt: timestamp(c.Finished),
		},
		HostConfig: &hostConfigView{NetworkMode: c.Labels[labelProject] + "_default", IpcMode: "private"},
		Config:     &configView{Env: c.Env, Cmd: c.Command, Image: c.Ref, Labels: c.Labels},
	}
	if c.alive() {
		v.State.Pid = c.Shim
	}
	v.HostConfig.RestartPolicy.Name = c.Restart
	if c.Listen != "" {
		v.HostConfig.PortBindings = []string{c.Listen}
	}
	return v
}

// noObjectError is docker's answer to a name that nothing has.
type noObjectError string

func (e noObjectError) Error() string { return "Error: No such object: " + string(e) }

func (c *call) inspect(args []string) error {
	s, format, words, err := c.inspected("docker inspect", args)
	if err != nil {
		return err
	}
	var views []any
	var missing []error
	for _, word := range words {
		found, ok := s.find(word)
		if !ok {
			missing = append(missing, noObjectError(word))
			continue
		}
		views = append(views, found.view())
	}
	return errors.Join(printAll(c.stdout, format, views), errors.Join(missing...))
}

// imageView is an image as `image inspect` shows it.
type imageView struct {
	ID          string `json:"Id"`
	RepoTags    []string
	RepoDigests []string
	Size        int64
	RootFS      struct{ Layers []string }
	Config      imageConfig
}

func (i image) view() imageView {
	v := imageView{ID: i.id(), RepoTags: []string{}, RepoDigests: []string{i.pinned()}, Config: i.config}
	if i.tag != "" {
		v.RepoTags = append(v.RepoTags, i.ref())
	}
	for _, l := range i.layers {
		v.Size += l.Size
	}
	return v
}

func (c *call) imageInspect(args []string) error {
	s, format, words, err := c.inspected("docker image inspect", args)
	if err != nil {
		return err
	}
	var views []any
	var missing []error
	for _, word := range words {
		found, ok := s.image(word)
		if !ok {
			missing = append(missing, daemonError(fmt.Sprintf("no such image: %s: No such image: %s", word, word)))
			continue
		}
		views = append(views, found.view())
	}
	return errors.Join(printAll(c.stdout, format, views), errors.Join(missing...))
}

// inspected is what both kinds of inspect begin with. A format that can't be read is refused before anything else.
func (c *call) inspected(name string, args []string) (s state, format string, words []string, err error) {
	flags := newFlags()
	flags.StringVarP(&format, "format", "f", "", "")
	if err := parse(flags, args); err != nil {
		return s, "", nil, err
	}
	if err := wantArguments(flags, name, 1, false); err != nil {
		return s, "", nil, err
	}
	if _, err := newFormat(format); err != nil {
		return s, "", nil, err
	}
	s, err = c.host.read()
	return s, format, slices.Clone(flags.Args()), err
}
