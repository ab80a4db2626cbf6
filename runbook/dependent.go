package runbook

import (
	"slices"
	"time"
)

// Dependent is a service that a plan doesn't change, and that can't stay as it is while the app's containers are replaced:
// it shares something with one of them, or finds the new one only after a restart. Its image stays its own.
type Dependent struct {
	Service string `json:"service"`
	Why     string `json:"why"`               // for people, as in "it shares the network of api"
	Restart bool   `json:"restart,omitempty"` // it is restarted afterwards; false: its containers are replaced together with the app's
	Scale   int    `json:"scale,omitempty"`   // as a ServicePlan's
}

// Neighbour is a service beside the app's, as it was seen to run.
type Neighbour struct {
	Service string
	Since   time.Time // when the one of its containers that runs longest was started
	Cut     bool      // one of them shares something with a container that is gone
}

// Stranger is a container that runs the image of one of the app's services, and that no plan would replace.
type Stranger struct {
	Service string // of the app
	Problem Problem
}

// Replaced are the dependents whose containers are replaced together with the app's.
func (h HostPlan) Replaced() []Dependent { return h.dependents(false) }

// Restarted are the dependents that are restarted afterwards.
func (h HostPlan) Restarted() []Dependent { return h.dependents(true) }

func (h HostPlan) dependents(restart bool) []Dependent {
	return slices.DeleteFunc(slices.Clone(h.Dependents), func(d Dependent) bool { return d.Restart != restart })
}

// CutOff is a dependent that should be replaced together with the app's containers and was seen not to be; nil: all were.
func (h HostPlan) CutOff(view View) *Dependent {
	for _, d := range h.Behind(view) {
		if !d.Restart {
			return &d
		}
	}
	return nil
}

// Behind are the dependents that were not seen to have followed: one runs cut off or not at all, or was not started since
// the newest of the app's containers was made.
func (h HostPlan) Behind(view View) (behind []Dependent) {
	var made time.Time
	for _, s := range view.Services {
		if s.Made.After(made) {
			made = s.Made
		}
	}
	for _, d := range h.Dependents {
		i := slices.IndexFunc(view.Neighbours, func(n Neighbour) bool { return n.Service == d.Service })
		if i < 0 || view.Neighbours[i].Cut || d.Restart && view.Neighbours[i].Since.Before(made) {
			behind = append(behind, d)
		}
	}
	return behind
}
