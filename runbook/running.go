package runbook

// Running is what the containers of one service run on one host.
type Running struct {
	Service    string `json:"service"`
	Image      Image  `json:"image"`          // zero: not known, or not the same in all its containers
	Note       string `json:"note,omitempty"` // why Image is zero
	Containers int    `json:"containers"`     // how many run
	Restarts   int    `json:"restarts"`       // all its containers' restarts together
}
