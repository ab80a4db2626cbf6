package runbook

import (
	"slices"
	"testing"
)

func TestSteps_AreThoseOfTheRunbook(t *testing.T) {
	var names []StepName
	for _, step := range steps {
		names = append(names, step.Name())
	}
	if !slices.Equal(names, StepOrder()) {
		t.Errorf("the steps are %v, want %v", names, StepOrder())
	}
	for _, name := range StepOrder() {
		if name.Title() == "" || stepNamed(name).Name() != name {
			t.Errorf("%s: title %q, step %v", name, name.Title(), stepNamed(name))
		}
	}
}
