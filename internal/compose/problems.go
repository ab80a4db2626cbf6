package compose

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// dockerProblem says what a docker command's failure means for a person. It is not for compose reading the stack: what that
// prints may hold secrets (stackProblem).
func (h *appHost) dockerProblem(doing string, r result) error {
	if known := h.engineProblem(r); known != nil {
		return known
	}
	return h.problem("Run it there by hand in a login shell and fix what it says", "can't %s (status %d): %s", doing, r.status, runbook.LastLines(r.stderr, 3))
}

// engineProblem says what a failure means that any command may meet, and quotes nothing; nil for another one.
func (h *appHost) engineProblem(r result) error {
	a, text := h.app, r.all()
	docker, compose := strings.Join(a.Docker, " "), strings.Join(a.Compose, " ")
	if err := h.runnerProblem(r); err != nil {
		return err
	}
	switch {
	case strings.Contains(text, "permission denied") && strings.Contains(text, "docker"):
		return h.problem("Let the SSH user use docker (`usermod -aG docker USER`), or set DOCKER_COMMAND and COMPOSE_COMMAND, as in `sudo -n docker`",
			"the SSH user may not talk to the docker engine")
	case strings.Contains(text, "Cannot connect to the Docker daemon"), strings.Contains(text, "Is the docker daemon running"):
		noEngine := h.problem("Start it there: `systemctl start docker`", "the docker engine doesn't answer")
		noEngine.Err = runbook.ErrNoEngine
		return noEngine
	case strings.Contains(text, "is not a docker command"), strings.Contains(text, "unknown shorthand flag: 'f'"), strings.Contains(text, "unknown flag: --short"):
		// Without the plugin docker takes compose's first flag for one of its own.
		return h.problem("Install the docker-compose-plugin package, or set COMPOSE_COMMAND", "`%s` isn't there: Docker Compose 2 or newer is needed", compose)
	case r.status == 127 || strings.Contains(text, "command not found") || strings.Contains(text, ": not found"):
		program := docker
		if a.Compose[0] != a.Docker[0] && names(text, a.Compose[0]) {
			program = compose
		}
		return h.problem("Install it, or set DOCKER_COMMAND and COMPOSE_COMMAND to where it is", "`%s` isn't found in a login shell's PATH", program)
	case strings.Contains(text, "cd: ") || strings.Contains(text, "can't cd"):
		return h.problem("Check DIR", "there is no folder %s that the SSH user may enter", a.Dir)
	case strings.Contains(text, "no such file or directory") && h.named(text) != "":
		return h.problem("Check DIR and COMPOSE_FILE", "there is no compose file %s in %s", h.named(text), a.Dir)
	}
	return nil
}

// named is the compose file that a complaint names; "" where it names none.
func (h *appHost) named(complaint string) string {
	for _, file := range h.launch().files {
		if strings.Contains(complaint, path.Base(file)) {
			return file
		}
	}
	return ""
}

// names reports whether a shell's complaint names a program, as in "bash: docker-compose: command not found".
func names(complaint, program string) bool {
	return slices.ContainsFunc(strings.Fields(complaint), func(word string) bool { return strings.Trim(word, ":'\"`") == program })
}

// absentProblem says why an image that the host lacks can't be had from the registry.
func absentProblem(host runbook.Host, image runbook.Image, lacks string) runbook.Problem {
	return runbook.Problem{
		Host: host, What: fmt.Sprintf("%s is not on this host and can't be fetched: %s", image, lacks),
		Remedy: "Choose another release; `history` lists them",
	}
}

// What docker prints of a registry's answer is no proof that an image is gone, but for a pull. `docker manifest inspect` says
// "no such manifest" of whatever it got no manifest for: also where the login is refused, the repository is private, or a
// proxy answers with a page of its own (continueOnError in cli/registry/client/fetcher.go, 20.10 to 29), and in 20.10 of all
// OCI images. It wants the manifests of all platforms: of an index that lacks another platform's it says MANIFEST_UNKNOWN
// (28.2), and a pull of the same succeeds. A pull repeats the registry's own words.

// denied reports whether a failed pull ended with a registry's word that it has no such manifest: of the image, or of the one
// for this host in its index. Mirrors are out of it: the engine asks the registry itself after them (continueOnError in
// moby's distribution/errors.go).
func denied(r result) bool {
	text := registrySaid(r)
	return strings.Contains(text, "manifest unknown") && !unauthorized(r)
}

// unauthorized reports whether a registry did not let docker in. Some say so of what isn't there, too.
func unauthorized(r result) bool {
	text := registrySaid(r)
	return r.status != 0 && (strings.Contains(text, "unauthorized") || strings.Contains(text, "denied") || strings.Contains(text, "no basic auth"))
}

// registrySaid is what docker printed of a registry's answer. Where that has no content type of JSON, docker prints it as it
// came: a code, as MANIFEST_UNKNOWN, reads as its words do.
func registrySaid(r result) string {
	return strings.ReplaceAll(strings.ToLower(string(r.stderr)), "_", " ")
}

// clause is what docker's command said that couldn't read a manifest, with what helps where that is known.
func clause(r result) string {
	switch text := registrySaid(r); {
	case unauthorized(r):
		return "its login isn't let in: `docker login` there as the SSH user"
	case strings.Contains(text, "no such manifest"):
		return "it got no manifest, and doesn't say why"
	}
	return strings.TrimRight(runbook.LastLines(r.stderr, 1), ".\n ")
}
