package runbook

import (
	"context"
	"errors"
	"testing"
)

// refusing is a host on which every command ends with status 1 and these words.
type refusing string

func (r refusing) Run(context.Context, Command, []byte) (status int, stdout, stderr []byte, err error) {
	return 1, nil, []byte(r), nil
}

// An engine that doesn't answer has not said that an image is missing: on a host that boots all of them would be pulled.
func TestMissingImages_AreNotThoseThatNobodyCouldAskFor(t *testing.T) {
	a := App{Docker: []string{"docker"}, Services: []Service{{"api", "API_IMAGE"}}}
	wanted := []Image{image("api", 1)}
	missing := func(says string) ([]Image, error) {
		states, err := (&appHost{app: a, shell: refusing(says)}).Images(t.Context(), wanted, false)
		return MissingOf(states), err
	}
	lacks, err := missing("Cannot connect to the Docker daemon. Is the docker daemon running?")
	if !errors.Is(err, ErrNoEngine) {
		t.Errorf("%v are missing, %v; want that the engine doesn't answer", lacks, err)
	}
	lacks, err = missing("Error: No such image: " + wanted[0].String())
	if err != nil || len(lacks) != 1 {
		t.Errorf("%v are missing, %v; want the one", lacks, err)
	}
}
