package demohost

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The labels by which compose finds its containers again.
const (
	labelProject = "com.docker.compose.project"
	labelService = "com.docker.compose.service"
	labelNumber  = "com.docker.compose.container-number"
	labelHash    = "com.docker.compose.config-hash"
	labelImage   = "com.docker.compose.image"
	labelOneOff  = "com.docker.compose.oneoff"
)

// bringUp brings one service's containers to what the compose file says, as `up` does: what is as it should be stays,
// what was made otherwise is made anew, what is too many goes.
type bringUp struct {
	*call
	project *project
	name    string
	service *service
}

func (b *bringUp) to(replicas int) error {
	s, err := b.host.read()
	if err != nil {
		return err
	}
	existing := b.existing(s)
	for number := 1; number <= replicas; number++ {
		if err := b.one(s, number, existing[number]); err != nil {
			return err
		}
	}
	for number, old := range existing {
		if number <= replicas {
			continue
		}
		if err := b.remove(old); err != nil {
			return err
		}
	}
	return nil
}

// existing are the service's containers by their numbers.
func (b *bringUp) existing(s state) map[int]container {
	containers := map[int]container{}
	for _, c := range s.Containers {
		if c.Labels[labelProject] == b.project.Name && c.Labels[labelService] == b.name && c.Labels[labelOneOff] == "False" {
			if number, err := strconv.Atoi(c.Labels[labelNumber]); err == nil {
				containers[number] = c
			}
		}
	}
	return containers
}

// one brings up the container of one number; old is the zero container where there is none yet.
func (b *bringUp) one(s state, number int, old container) error {
	name := fmt.Sprintf("%s-%s-%d", b.project.Name, b.name, number)
	next, err := b.container(s, name, number)
	switch {
	case old.ID == "":
		b.say(name, "Creating")
		if err == nil {
			err = b.create(next)
		}
		if err != nil {
			return b.broken(number, err)
		}
		b.say(name, "Created")
	case err == nil && old.Labels[labelHash] == next.Labels[labelHash] && old.ImageID == next.ImageID:
		if old.Status == statusRunning {
			b.say(name, "Running")
			return nil
		}
		next = old
	default:
		b.say(name, "Recreate")
		if err == nil {
			err = b.replace(old, next)
		}
		if err != nil {
			return b.broken(number, err)
		}
		b.say(name, "Recreated")
	}
	b.say(name, "Starting")
	time.Sleep(s.Pace.Start)
	if err := b.host.start(next.ID); err != nil {
		return b.broken(number, err)
	}
	b.say(name, "Started")
	return nil
}

// container is what a container of that number is made from. An error where the host lacks the image.
func (b *bringUp) container(s state, name string, number int) (container, error) {
	from, ok := s.image(b.service.Image)
	if !ok {
		return container{}, daemonError("No such image: " + b.service.Image)
	}
	program := b.service.Command
	if len(program) == 0 {
		program = from.config.Cmd
	}
	return container{
		ID: newID(), Name: name, Ref: b.service.Image, ImageID: from.id(), Command: program, Env: b.environmentOf(from),
		Labels: b.labels(from, number), Listen: b.service.listen(), Restart: b.service.Restart,
		Created: time.Now().UTC(), Status: statusCreated,
	}, nil
}

func (b *bringUp) environmentOf(from image) []string {
	env := slices.Clone(from.config.Env)
	for name, value := range b.service.Environment {
		if value != nil {
			env = append(env, name+"="+*value)
		}
	}
	slices.Sort(env)
	return env
}

func (b *bringUp) labels(from image, number int) map[string]string {
	labels := map[string]string{
		labelProject: b.project.Name,
		labelService: b.name,
		labelNumber:  strconv.Itoa(number),
		labelHash:    b.service.hash(),
		labelImage:   from.id(),
		labelOneOff:  "False",
		"com.docker.compose.project.config_files": b.project.file,
		"com.docker.compose.project.working_dir":  b.project.folder(),
		"com.docker.compose.version":              composeVersion,
	}
	for key, value := range from.config.Labels {
		labels[key] = value
	}
	return labels
}

func newID() string {
	id := make([]byte, 32)
	_, _ = rand.Read(id) // it never fails: see its documentation
	return hex.EncodeToString(id)
}

func (b *bringUp) create(c container) error {
	if err := os.MkdirAll(filepath.Dir(b.host.container(c.ID, "log")), 0o700); err != nil {
		return err
	}
	return b.host.update(func(s *state) error {
		if _, taken := s.find(c.Name); taken {
			return daemonError(fmt.Sprintf("Conflict. The container name %q is already in use", "/"+c.Name))
		}
		s.Containers = append(s.Containers, c)
		return nil
	})
}

// replace puts a container in another's place. The new one is made first, under a name of its own, so that the old one
// is stopped only when nothing is missing for the new one.
func (b *bringUp) replace(old, next container) error {
	name := next.Name
	next.Name = short(old.ID) + "_" + name
	if err := b.create(next); err != nil {
		return err
	}
	if err := b.host.stop(old.ID); err != nil {
		return err
	}
	if err := b.host.remove(old.ID); err != nil {
		return err
	}
	return b.host.updateContainer(next.ID, func(c *container) error {
		c.Name = name
		return nil
	})
}

func (b *bringUp) remove(old container) error {
	b.say(old.Name, "Stopping")
	if err := b.host.stop(old.ID); err != nil {
		return err
	}
	b.say(old.Name, "Stopped")
	b.say(old.Name, "Removing")
	if err := b.host.remove(old.ID); err != nil {
		return err
	}
	b.say(old.Name, "Removed")
	return nil
}

// say tells of progress as compose does where there is no terminal, trailing blank included.
func (b *bringUp) say(name, what string) {
	fmt.Fprintf(b.stderr, " Container %s %s \n", name, what)
}

func (b *bringUp) broken(number int, err error) error {
	fmt.Fprintf(b.stderr, " service:%s:%d %s \n", b.name, number, strings.ReplaceAll(err.Error(), "\n", " "))
	if errors.Is(err, errGone) {
		return daemonError(fmt.Sprintf("No such container: %s-%s-%d", b.project.Name, b.name, number))
	}
	return err
}
