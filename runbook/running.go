package runbook

// Running is what the containers of one service run on one host.
type Running struct {
	Service    string `json:"service"`
	Image      Image  `json:"image"`            // zero: not known, or not the same in all its containers
	Note       string `json:"note,omitempty"`   // why Image is zero
	Containers int    `json:"containers"`       // how many there are
	Restarts   int    `json:"restarts"`         // all its containers' restarts together
	Tag        string `json:"tag,omitempty"`    // what its containers were started by where that is no digest; empty: all were by digest
	State      string `json:"state,omitempty"`  // docker's word for a container that isn't running; empty: all run
	Health     string `json:"health,omitempty"` // docker's word for a HEALTHCHECK that isn't healthy; empty: all are, or have none
}
