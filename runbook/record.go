package runbook

import (
	"strings"
	"time"
)

// Record is what step 6 of the runbook asks for, as programs read it: the metadata of the record's message.
// People are Slack IDs; what doesn't apply is "" or {}.
type Record struct {
	Rollback    string           `json:"rollback"`
	App         string           `json:"app"`
	Outcome     Outcome          `json:"outcome"`
	At          string           `json:"at"` // RFC 3339 in UTC
	To          map[string]Image `json:"to"`
	From        map[string]Image `json:"from"`
	Reason      string           `json:"reason"`
	Migration   MigrationState   `json:"migration"`
	Owner       string           `json:"owner"`
	RequestedBy string           `json:"requested_by"`
	SignedOffBy string           `json:"signed_off_by"`
	Plan        string           `json:"plan"`
	Head        string           `json:"head"` // the head of the journal's hash chain
}

// Record is the rollback's record. It is complete once the rollback has ended.
func (rb Rollback) Record() Record {
	return Record{
		Rollback: rb.ID, App: rb.App, Outcome: rb.Outcome, At: rb.EndedAt.UTC().Format(time.RFC3339),
		To: rb.Plan.Target.Images, From: rb.Plan.From(),
		Reason: rb.FullReason(), Migration: rb.MigrationState(), Owner: rb.Owner(),
		RequestedBy: rb.Request.By, SignedOffBy: strings.Join(rb.Signoff.People(), ","), Plan: rb.Plan.Hash(), Head: rb.Head,
	}
}

// From is what ran before, by service: the first host's that is known. Where hosts differ, the plan's text says so.
func (p Plan) From() map[string]Image {
	images := map[string]Image{}
	for _, h := range p.Hosts {
		for service, image := range h.From() {
			if _, known := images[service]; !known {
				images[service] = image
			}
		}
	}
	return images
}

// MigrationState is the runbook's word for what became of the failed release's migration.
type MigrationState string

// The migration states of a record. Unknown only where nobody signed off.
const (
	StateNone        MigrationState = "none"
	StateLeftInPlace MigrationState = "left in place"
	StateReverted    MigrationState = "reverted"
	StateUnknown     MigrationState = "unknown"
)

// MigrationState is what the sign-off said.
func (rb Rollback) MigrationState() MigrationState {
	switch rb.Signoff.Answer {
	case SignoffInPlace:
		return StateLeftInPlace
	case SignoffReverted:
		return StateReverted
	case SignoffNone, Confirm:
		return StateNone
	}
	return StateUnknown
}
