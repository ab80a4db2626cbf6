package demohost

import (
	"os"
	"slices"

	pinsfile "rollbackbot/internal/compose/dotenv"
	"rollbackbot/internal/sshtest"
)

// Link is the host's SSH server, on which a test plays what networks do.
func (h *Host) Link() *sshtest.Server { return h.server }

// Home is the SSH user's home on the host.
func (h *Host) Home() string { return h.folder.home() }

// Running gives the references that each service's living containers were made from, one for each container.
func (h *Host) Running() (map[string][]string, error) {
	s, err := h.folder.read()
	if err != nil {
		return nil, err
	}
	running := map[string][]string{}
	for _, c := range s.Containers {
		if c.alive() {
			running[c.Labels[labelService]] = append(running[c.Labels[labelService]], c.Ref)
		}
	}
	return running, nil
}

// Pins gives what the environment file names for each service.
func (h *Host) Pins() (map[string]string, error) {
	content, err := os.ReadFile(h.folder.envFile())
	if err != nil {
		return nil, err
	}
	pins := map[string]string{}
	for i, pin := range pinsfile.ReadPins(content, h.App()) {
		pins[services[i]] = pin.Value
	}
	return pins, nil
}

// Tidy removes those of a version's images from the host that no container is made from, as people do who need room:
// the next rollback has to fetch them.
func (h *Host) Tidy(version string) error {
	return h.folder.update(func(s *state) error {
		s.Images = slices.DeleteFunc(s.Images, func(ref string) bool {
			used := slices.ContainsFunc(s.Containers, func(c container) bool { return c.Ref == ref })
			return !used && slices.ContainsFunc(services, func(service string) bool { return serviceImage(service, version).ref() == ref })
		})
		return nil
	})
}
