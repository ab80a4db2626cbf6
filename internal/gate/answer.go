package gate

import (
	"encoding/json"
	"errors"
	"net/http"

	"rollbackbot/runbook"
)

// answer is the body of every answer but 201's, which is the release.
type answer struct {
	Allowed     *bool          `json:"allowed,omitempty"`
	Digest      runbook.Digest `json:"digest,omitempty"`
	Quarantined []quarantined  `json:"quarantined,omitempty"`
	Problems    []string       `json:"problems,omitempty"` // each a sentence without a full stop
}

// quarantined is one image that is not deployed, and why.
type quarantined struct {
	Image    string `json:"image"` // a digest alone, where no name was given
	App      string `json:"app"`
	Rollback string `json:"rollback"`
}

// refusals are the images that an error of the gate says are quarantined.
func refusals(err error) []*runbook.QuarantinedError {
	var one *runbook.QuarantinedError
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // what errors.Join made, not what wraps it
		var all []*runbook.QuarantinedError
		for _, err := range joined.Unwrap() {
			all = append(all, refusals(err)...)
		}
		return all
	}
	if errors.As(err, &one) {
		return []*runbook.QuarantinedError{one}
	}
	return nil
}

// locked is the answer that says so.
func locked(blocked []*runbook.QuarantinedError) answer {
	no := false
	a := answer{Allowed: &no}
	for _, e := range blocked {
		a.Quarantined = append(a.Quarantined, quarantined{Image: e.Image.String(), App: e.App, Rollback: e.Rollback})
		a.Problems = append(a.Problems, e.Error())
	}
	return a
}

func write(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings and numbers always have a JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // what is allowed now may not be in a minute
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // whoever asked is gone
}

func problem(w http.ResponseWriter, status int, problems ...string) {
	write(w, status, answer{Problems: problems})
}
