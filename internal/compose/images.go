package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// diskFactor is how much room an image takes on the disk for each packed byte of it. Layers of Debian-based images unpack to
// about 2.5 times their size, and the packed ones lie beside them: docker's own store has them in DockerRootDir/tmp until they
// are unpacked, containerd's keeps them
// (https://github.com/containerd/containerd/blob/main/docs/content-flow.md). The rest is what file systems need themselves.
const diskFactor = 4

// Images asks docker which images the host has, and their registry, from the bot's machine and by docker's own login there.
func (h *appHost) Images(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error) {
	var refs []string
	for _, image := range images {
		refs = appendOnce(refs, image.String())
	}
	here, err := h.images(ctx, refs)
	if err != nil {
		return nil, err
	}
	h.memory.learn(here...)
	states := make([]runbook.ImageState, len(images))
	for i, image := range images {
		states[i].Image = image
		for _, view := range here {
			if view.is(image) {
				states[i].Here, states[i].Label = true, runbook.Label{Revision: view.Revision, Version: view.Version}
			}
		}
	}
	if !ask {
		return states, nil
	}
	platform, err := h.platform(ctx)
	if err != nil {
		return nil, err
	}
	var questions []func(context.Context) error
	for i := range states {
		questions = append(questions, func(ctx context.Context) error { return h.askRegistry(ctx, platform, &states[i]) })
	}
	if err := parallel.Do(ctx, questions...); err != nil {
		return nil, err
	}
	return states, nil
}

// platform is what the engine runs, as "linux/arm64"; "" where it doesn't say.
func (h *appHost) platform(ctx context.Context) (string, error) {
	r, err := h.ask(ctx, enginePlatform(h.app))
	if err != nil || r.status != 0 {
		return "", err
	}
	return strings.TrimSpace(string(r.stdout)), nil
}

// registryPatience bounds the question after one image. Where nothing answers docker gives up after 20 s and more (measured),
// and a plan has 30 s for all that it asks.
const registryPatience = 15 * time.Second

var errNotAsked = errors.New("the bot's machine doesn't ask there")

// askRegistry adds to what is known of an image what its registry says: to the bot's own client, which alone can tell that it
// is gone, and to docker's on the host, which has another login and another way there.
func (h *appHost) askRegistry(ctx context.Context, platform string, state *runbook.ImageState) error {
	var found runbook.Found
	var unfound error
	var said result
	err := parallel.Do(ctx,
		func(ctx context.Context) error { found, unfound = h.find(ctx, state.Image, platform); return nil },
		func(ctx context.Context) (err error) {
			said, err = h.manifest(ctx, readManifest(h.app, state.Image))
			return err
		})
	if err != nil {
		return err
	}
	known := h.knownOf(state.Image)
	switch {
	case unfound == nil && found.Lacks != "":
		state.Registry = runbook.RegistryLacks
	case unfound == nil:
		state.Registry, state.Bytes = runbook.RegistryHas, room(found.Layers, known)
	case said.status == 0:
		state.Registry, state.Bytes = runbook.RegistryHas, manifestSize(said.stdout)*diskFactor
		if state.Bytes == 0 && !state.Here { // an index names no layers
			if said, err = h.manifest(ctx, readManifests(h.app, state.Image)); err != nil {
				return err
			}
			state.Bytes = manifestsSize(said.stdout, platform) * diskFactor
		}
	}
	if state.Bytes == 0 {
		state.Bytes, state.Guessed = sizeLike(known), true
	}
	switch {
	case state.Here:
	case state.Registry == runbook.RegistryLacks:
		state.Problem = absentProblem(h.host, state.Image, found.Lacks)
	case state.Registry == runbook.RegistrySilent:
		state.Note = fmt.Sprintf("%s is not on this host, and only the fetch will tell whether it can be had: the bot's machine can't tell (%v), nor docker's command here (%s)", state.Image, unfound, clause(said))
	case unfound == nil && unauthorized(said):
		state.Note = fmt.Sprintf("the registry has %s, but docker's login here can't read it: run `docker login` there as the SSH user", state.Image)
	}
	return nil
}

// find asks from the bot's machine. What is on loopback there is not what is on loopback on another host.
func (h *appHost) find(ctx context.Context, image runbook.Image, platform string) (runbook.Found, error) {
	_, machine, _ := strings.Cut(string(h.host), "@")
	if h.registry == nil || loopback(image.Name) && !loopback(machine+"/") {
		return runbook.Found{}, errNotAsked
	}
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	var siblings []runbook.Image
	for _, view := range h.knownOf(image) {
		siblings = append(siblings, view.imagesOf(image.Canonical().Name)...)
	}
	return h.registry.Find(ctx, image, platform, siblings)
}

// manifest asks by docker's own command on the host.
func (h *appHost) manifest(ctx context.Context, read runbook.Command) (result, error) {
	asked := time.Now()
	r, err := h.run(ctx, line{Command: read, timeout: registryPatience})
	if errors.Is(err, runbook.ErrLost) && ctx.Err() == nil && time.Since(asked) >= registryPatience {
		r, err = result{status: -1, stderr: fmt.Appendf(nil, "no answer within %s", registryPatience)}, nil
	}
	return r, err
}

// knownOf are the images of the same repository that docker was seen to have here, by their IDs.
func (h *appHost) knownOf(image runbook.Image) (views []imageView) {
	known := h.memory.recall().images
	for _, id := range runbook.SortedKeys(known) {
		if images := known[id].imagesOf(image.Canonical().Name); len(images) > 0 && !slices.Contains(images, image.Canonical()) {
			views = append(views, known[id])
		}
	}
	return views
}

// room is the disk that fetching these layers may take. Those with which an image begins that lies on the host are there
// already: stores keep a layer once for all images that have the same ones below it.
func room(layers []runbook.Layer, known []imageView) (bytes int64) {
	var there int
	for _, view := range known {
		n := 0
		for n < len(layers) && n < len(view.Layers) && layers[n].Content != "" && layers[n].Content == view.Layers[n] {
			n++
		}
		there = max(there, n)
	}
	for _, layer := range layers[there:] {
		bytes += layer.Bytes
	}
	return max(bytes*diskFactor, 1) // it is known, even where nothing is to be fetched
}

// sizeLike measures an image of which nobody says how large it is by those of its repository that lie on the host: releases
// of one service differ little. 0: there is none. docker says the unpacked size of an image, and with containerd's store the
// packed one, so that this is on the safe side.
func sizeLike(known []imageView) (bytes int64) {
	for _, view := range known {
		bytes = max(bytes, view.Size)
	}
	return bytes * diskFactor
}

// fetchLimit is how long a pull may take: images of a gigabyte over a slow line take minutes.
const fetchLimit = 15 * time.Minute

// Fetch pulls an image. What is cut off is pulled again later.
func (h *appHost) Fetch(ctx context.Context, image runbook.Image) error {
	r, err := h.run(ctx, line{Command: pull(h.app, image), timeout: fetchLimit})
	switch {
	case err != nil || r.status == 0:
		return err
	case denied(r):
		return fmt.Errorf("`docker pull` of %s ended with status %d: %w", image, r.status, runbook.ErrDenied)
	}
	return fmt.Errorf("`docker pull` of %s ended with status %d: %s", image, r.status, runbook.LastLines(r.stderr, 2))
}
