package runbook

import (
	"context"
	"errors"
	"testing"
)

// refusing is a host on which every command ends with status 1 and these words.
type refusing string

func (r refusing) Run(context.Context, Command) (Result, error) {
	return Result{Status: 1, Stderr: []byte(r)}, nil
}

// An engine that doesn't answer has not said that an image is missing: on a host that boots all of them would be pulled.
func TestMissingImages_AreNotThoseThatNobodyCouldAskFor(t *testing.T) {
	a := App{Docker: []string{"docker"}, Services: []Service{{"api", "API_IMAGE"}}}
	wanted := map[string]Image{"api": image("api", 1)}
	missing, _, err := missingImages(t.Context(), refusing("Cannot connect to the Docker daemon. Is the docker daemon running?"), "deploy@one", a, wanted)
	if !errors.Is(err, errNoEngine) {
		t.Errorf("%v are missing, %v; want that the engine doesn't answer", missing, err)
	}
	missing, _, err = missingImages(t.Context(), refusing("Error: No such image: "+wanted["api"].String()), "deploy@one", a, wanted)
	if err != nil || len(missing) != 1 {
		t.Errorf("%v are missing, %v; want the one", missing, err)
	}
}
