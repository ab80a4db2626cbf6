package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// diskFactor is how much room an image takes on the disk for each compressed byte of it. Layers of Debian-based images
// unpack to about 2.5 times their size, and the compressed ones lie beside them while they are unpacked.
const diskFactor = 4

// Images asks docker which images the host has, and the registry, by docker's own login there.
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
			if slices.Contains(view.Digests, image.String()) {
				states[i].Here, states[i].Label = true, runbook.Label{Revision: view.Revision, Version: view.Version}
			}
		}
	}
	if !ask {
		return states, nil
	}
	var questions []func(context.Context) error
	for i := range states {
		questions = append(questions, func(ctx context.Context) error { return h.askRegistry(ctx, &states[i]) })
	}
	if err := parallel.Do(ctx, questions...); err != nil {
		return nil, err
	}
	return states, nil
}

// registryPatience bounds the question after one image. Where nothing answers docker gives up after 20 s and more (measured),
// and a plan has 30 s for all that it asks.
const registryPatience = 15 * time.Second

// askRegistry adds to what is known of an image what its registry says.
func (h *appHost) askRegistry(ctx context.Context, state *runbook.ImageState) error {
	asked := time.Now()
	r, err := h.run(ctx, line{Command: readManifest(h.app, state.Image), timeout: registryPatience})
	if errors.Is(err, runbook.ErrLost) && ctx.Err() == nil && time.Since(asked) >= registryPatience {
		r, err = result{status: -1, stderr: fmt.Appendf(nil, "no answer within %s", registryPatience)}, nil
	}
	if err != nil {
		return err
	}
	state.Registry, state.Bytes = registryAnswerOf(r), manifestSize(r.stdout)*diskFactor
	if !state.Here && r.status != 0 {
		state.Problem = absentProblem(h.host, state.Image, r)
	}
	return nil
}

// fetchLimit is how long a pull may take: images of a gigabyte over a slow line take minutes.
const fetchLimit = 15 * time.Minute

// Fetch pulls an image. What is cut off is pulled again later.
func (h *appHost) Fetch(ctx context.Context, image runbook.Image) error {
	r, err := h.run(ctx, line{Command: pull(h.app, image), timeout: fetchLimit})
	if err == nil && r.status != 0 {
		err = fmt.Errorf("`docker pull` of %s ended with status %d: %s", image, r.status, runbook.LastLines(r.stderr, 2))
	}
	return err
}
