package demohost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// state is what the engine knows.
type state struct {
	Pace       pace        `json:"pace"`
	Images     []string    `json:"images"` // references of those that lie on the host
	Containers []container `json:"containers"`
}

// container is one container. What it is made from never changes; the rest is what became of it.
type container struct {
	ID      string            `json:"id"`       // 64 hex digits
	Name    string            `json:"name"`     // without docker's leading slash
	Ref     string            `json:"ref"`      // the image as it was asked for
	ImageID string            `json:"image_id"` // what that was
	Command []string          `json:"command"`  // the program and its arguments
	Env     []string          `json:"env"`
	Labels  map[string]string `json:"labels"`
	Listen  string            `json:"listen,omitempty"` // the published "address:port"; empty where none is
	Restart string            `json:"restart"`          // compose's word; empty means "no"
	Created time.Time         `json:"created"`

	Status     string    `json:"status"`
	Shim       int       `json:"shim,omitempty"` // the process ID, valid while the container's lock is held
	Started    time.Time `json:"started,omitzero"`
	Finished   time.Time `json:"finished,omitzero"`
	ExitStatus int       `json:"exit_status"`
	Restarts   int       `json:"restarts"`
}

// What docker calls the state of a container.
const (
	statusCreated    = "created"
	statusRunning    = "running"
	statusRestarting = "restarting"
	statusExited     = "exited"
)

// killedStatus is the exit status of what SIGKILL ended: 128 and the signal's number.
const killedStatus = 137

// read gives the state, with every container that lost its shim seen as killed.
func (f folder) read() (state, error) {
	lock, err := openLocked(f.stateLock(), syscall.LOCK_SH)
	if err != nil {
		return state{}, err
	}
	defer lock.Close()
	return f.load()
}

// update changes the state, unless change gives an error.
func (f folder) update(change func(*state) error) error {
	lock, err := openLocked(f.stateLock(), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := f.load()
	if err != nil {
		return err
	}
	if err := change(&s); err != nil {
		return err
	}
	return f.save(s)
}

func (f folder) load() (state, error) {
	content, err := os.ReadFile(f.stateFile())
	if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(content, &s); err != nil {
		return state{}, fmt.Errorf("read %s: %w", f.stateFile(), err)
	}
	for i, c := range s.Containers {
		if c.alive() && !held(f.container(c.ID, "lock")) {
			s.Containers[i].Status, s.Containers[i].ExitStatus = statusExited, killedStatus
		}
	}
	return s, nil
}

func (f folder) save(s state) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	next := f.stateFile() + ".new"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.stateFile())
}

// updateContainer changes one container. errGone when it was removed meanwhile.
func (f folder) updateContainer(id string, change func(*container) error) error {
	return f.update(func(s *state) error {
		for i := range s.Containers {
			if s.Containers[i].ID == id {
				return change(&s.Containers[i])
			}
		}
		return errGone
	})
}

var errGone = errors.New("the container was removed")

func (c container) alive() bool { return c.Status == statusRunning || c.Status == statusRestarting }

// find gives the container that a person means: by its name, its ID, or the beginning of its ID.
func (s state) find(word string) (container, bool) {
	i := slices.IndexFunc(s.Containers, func(c container) bool {
		return word != "" && (c.Name == strings.TrimPrefix(word, "/") || strings.HasPrefix(c.ID, word))
	})
	if i < 0 {
		return container{}, false
	}
	return s.Containers[i], true
}

// image gives the image on the host that a reference or an ID means.
func (s state) image(word string) (image, bool) {
	for _, ref := range s.Images {
		if img, ok := imageOf(ref); ok && (ref == word || img.pinned() == word || img.id() == word) {
			return img, true
		}
	}
	return image{}, false
}
