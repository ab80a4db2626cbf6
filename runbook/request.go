package runbook

import "time"

// Request is what a person asked for, in their words.
type Request struct {
	ID        string           `json:"id,omitempty"` // the rollback's, chosen before, since it was signed; empty: one is made
	App       string           `json:"app"`
	Release   string           `json:"release"`          // as typed; empty means "previous"
	Images    map[string]Image `json:"images,omitempty"` // given image by image instead of Release
	Reason    string           `json:"reason"`           // "not given" when nobody gave one
	Migration string           `json:"migration"`        // the requester's word: none, yes or unknown; it proves nothing
	Owner     string           `json:"owner"`            // Slack ID of the owner of the follow-up
	By        string           `json:"by"`               // Slack ID of who asked
	At        time.Time        `json:"at"`
	// Signed is the hash of the plan that who asks has seen and signed: no other one is opened. Empty: they signed none.
	Signed string `json:"signed,omitempty"`
}

// NotGiven stands where nobody gave a reason.
const NotGiven = "not given"

// isDefault reports whether nobody named the release to go to.
func (r Request) isDefault() bool {
	return len(r.Images) == 0 && (r.Release == "" || r.Release == Previous)
}
