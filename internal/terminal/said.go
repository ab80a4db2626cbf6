package terminal

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// kinds begin with this, so that every other door leaves such deliveries alone.
const kinds = "terminal_"

// The kinds of deliveries that come from terminals.
const (
	KindRequest = kinds + "request"
	KindAnswer  = kinds + "answer"
)

// IsKind reports whether a delivery of that kind came from a terminal: a Door deals with it, and nothing else.
func IsKind(kind string) bool { return strings.HasPrefix(kind, kinds) }

// Said is what a person said in a terminal, with the signature that proves it. It is a request where Request is set, and
// otherwise an answer.
type Said struct {
	By        string           `json:"by"` // Slack ID
	Signature string           `json:"signature"`
	Plan      string           `json:"plan"` // the hash of the plan that they saw
	Request   *runbook.Request `json:"request,omitempty"`
	Rollback  string           `json:"rollback,omitempty"`
	Question  int64            `json:"question,omitempty"`
	Answer    runbook.Answer   `json:"answer,omitempty"`
	Reason    string           `json:"reason,omitempty"` // where two requesters sign off together
}

// Statement is what has to be signed for it.
func (s Said) Statement() Statement {
	if s.Request != nil {
		return Statement{Verb: "request", Rollback: s.Request.ID, Plan: s.Plan}
	}
	return Statement{Verb: string(s.Answer), Rollback: s.Rollback, Question: s.Question, Plan: s.Plan, Reason: s.Reason}
}

// Delivery is it as it goes into the inbox, a new one each time: what was refused because it came too early, as a deputy's
// answer, may be given again, and the same key makes the same signature. That it counts once is the Runner's: a request by
// its ID, an answer by its question.
func (s Said) Delivery(at time.Time) (runbook.Delivery, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return runbook.Delivery{}, fmt.Errorf("write what was said: %w", err)
	}
	kind := KindAnswer
	if s.Request != nil {
		kind = KindRequest
	}
	return runbook.Delivery{Key: "terminal-" + rand.Text(), Kind: kind, Body: body, At: at.UTC()}, nil
}
