package compose

import (
	"context"
	"errors"
	"testing"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// refusing is a host on which every command ends with status 1 and these words.
type refusing string

func (r refusing) Run(context.Context, runbook.Command, []byte) (status int, stdout, stderr []byte, err error) {
	return 1, nil, []byte(r), nil
}

// An engine that doesn't answer has not said that an image is missing: on a host that boots all of them would be pulled.
func TestMissingImages_AreNotThoseThatNobodyCouldAskFor(t *testing.T) {
	a := runbook.App{Docker: []string{"docker"}, Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}}}
	wanted := []runbook.Image{runbooktest.Image("api", 1)}
	missing := func(says string) ([]runbook.Image, error) {
		states, err := (&appHost{app: a, shell: refusing(says)}).Images(t.Context(), wanted, false)
		return runbook.MissingOf(states), err
	}
	lacks, err := missing("Cannot connect to the Docker daemon. Is the docker daemon running?")
	if !errors.Is(err, runbook.ErrNoEngine) {
		t.Errorf("%v are missing, %v; want that the engine doesn't answer", lacks, err)
	}
	lacks, err = missing("Error: No such image: " + wanted[0].String())
	if err != nil || len(lacks) != 1 {
		t.Errorf("%v are missing, %v; want the one", lacks, err)
	}
}
