package runbook

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Fact is what an Event says. Kinds are past tense, and never renamed or reused: journals outlive binaries.
type Fact interface{ Kind() string }

// Facts about one rollback.
type (
	// Requested opens a rollback: somebody asked, and the preflight has passed.
	Requested struct {
		Request  Request  `json:"request"`
		Plan     Plan     `json:"plan"`
		Question Question `json:"question"`
	}
	// Replanned replaces the plan: what runs, or what is known, has changed since. Any sign-off is void.
	Replanned struct {
		Plan     Plan     `json:"plan"`
		Why      string   `json:"why"`
		Question Question `json:"question"`
	}
	// Answered is a person's answer to the open question, given on the plan that they saw.
	Answered struct {
		Question int64  `json:"question"`
		Answer   Answer `json:"answer"`
		By       string `json:"by"`
		Plan     string `json:"plan"`
		// Together are the two who signed off where no lead did, By the second of them; none: one person answered.
		Together []string `json:"together,omitempty"`
	}
	// Refused is a click or a request that did not count, and why. It changes nothing.
	Refused struct {
		Action string `json:"action"`
		By     string `json:"by"`
		Why    string `json:"why"`
	}
	// DeadlinePassed says that nobody answered the question in time.
	DeadlinePassed struct {
		Question int64 `json:"question"`
	}
	// AbortRequested asks to stop at the next safe point.
	AbortRequested struct {
		By string `json:"by"`
	}
	// Asked is a question that somebody has to answer before the rollback goes on.
	Asked struct {
		Question Question `json:"question"`
		Forward  *Plan    `json:"forward,omitempty"` // the way back to where it started, where that is offered
	}
	// StepStarted is written before a step acts.
	StepStarted struct {
		Step    StepName `json:"step"`
		Attempt int      `json:"attempt"` // from 1
	}
	// StepFinished is what came of a step.
	StepFinished struct {
		Step    StepName    `json:"step"`
		Attempt int         `json:"attempt"`
		Outcome StepOutcome `json:"outcome"`
	}
	// LeaseTaken says that the app's lock on a host is this rollback's.
	LeaseTaken struct {
		Host  Host  `json:"host"`
		Epoch int64 `json:"epoch"`
	}
	// CommandStarted is written before a changing command leaves for its host.
	CommandStarted struct {
		Host    Host     `json:"host"`
		Step    StepName `json:"step"`
		Job     string   `json:"job"`     // its folder under the rollback's on the host
		Command string   `json:"command"` // as shown in the plan
	}
	// CommandFinished is how it ended.
	CommandFinished struct {
		Host   Host   `json:"host"`
		Job    string `json:"job"`
		Known  bool   `json:"known"`  // false: how it ended could not be learnt
		Status int    `json:"status"` // the exit status, where Known
		Output string `json:"output"` // its last lines, masked
	}
	// PinsWriting is written before a host's pins change: what they were, so that they can be put back.
	PinsWriting struct {
		Host   Host   `json:"host"`
		File   string `json:"file"`
		Former []Pin  `json:"former"`
		Pins   []Pin  `json:"pins"`
	}
	// PinsWritten says that the host's pins are those of PinsWriting.
	PinsWritten struct {
		Host Host `json:"host"`
	}
	// PinsRestored says that the former pins are in place again.
	PinsRestored struct {
		Host Host `json:"host"`
	}
	// Looked is what a host was seen to run.
	Looked struct {
		Host    Host      `json:"host"`
		Running []Running `json:"running"`
		Problem string    `json:"problem,omitempty"` // why it could not be seen; then Running is empty
	}
	// Fetched is what came of fetching a host's missing images while the sign-off was awaited.
	Fetched struct {
		Host    Host   `json:"host"`
		Problem string `json:"problem,omitempty"` // why it could not be done; empty: all are there
	}
	// Quarantined blocks images from the moment before the first container is replaced.
	Quarantined struct {
		Images []Image `json:"images"`
	}
	// Ended closes the rollback.
	Ended struct {
		Outcome Outcome `json:"outcome"`
		Why     string  `json:"why"`
		// FailedAt is the step on the way to the target that had failed by then, or of which it isn't known how it
		// ended; empty: none.
		FailedAt StepName `json:"failed_at,omitempty"`
	}
	// NoticeIntended is written before a message is posted for the first time.
	NoticeIntended struct {
		Key string `json:"key"`
	}
	// NoticePosted says where a message stands in Slack.
	NoticePosted struct {
		Key     string `json:"key"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	// Published says that every message of an ended rollback is as it should stay.
	Published struct{}
)

// Facts about an app.
type (
	// Deployed is a deployment note: CI or a person says that these images go live together.
	Deployed struct {
		Images    map[string]Image `json:"images"` // by service
		Version   string           `json:"version,omitempty"`
		Commit    string           `json:"commit,omitempty"`
		Migration Migration        `json:"migration"`
	}
	// Observed is a set of images that the bot began to see running on every host.
	Observed struct {
		Images map[string]Image `json:"images"`
		// After is when the same process last saw every host run another release: these came up between then and now. Zero:
		// nobody saw them come up.
		After time.Time `json:"after,omitzero"`
		// ConfigHashes are compose's hashes of the configuration that each service's containers were made with, all that
		// are found on the hosts, sorted; journals from before they were noted have none.
		ConfigHashes map[string][]string `json:"config_hashes,omitempty"`
		Tags         []string            `json:"tags,omitempty"`  // what was started by tag and not by digest, sorted
		Hosts        []Host              `json:"hosts,omitempty"` // all of them; none in journals from before they were noted
	}
	// Lifted takes an image out of quarantine: a lead says why it may be deployed again.
	Lifted struct {
		Digest Digest `json:"digest"`
		Cause  string `json:"cause"` // holds the link of the postmortem
		By     string `json:"by"`
		Notice string `json:"notice,omitempty"` // the key of the notice that tells the channel; empty: it isn't told of this one
	}
	// Diverged says that the hosts do not run the same images, or not only known ones.
	Diverged struct {
		Detail string `json:"detail"`
	}
	// LockRequested is written before a person or CI takes the app's lock on its hosts from a terminal, or prolongs it.
	LockRequested struct {
		By     string        `json:"by"` // who they say they are
		Reason string        `json:"reason"`
		For    time.Duration `json:"for"`
	}
	// LockTaken says that they have it, on every host.
	LockTaken struct {
		By    string `json:"by"`
		Epoch int64  `json:"epoch"` // on the hosts
		Hosts []Host `json:"hosts"`
	}
	// LockRefused says that they did not get it, and have it on no host.
	LockRefused struct {
		By  string `json:"by"`
		Why string `json:"why"`
	}
	// UnlockRequested is written before an app's lock is given back on its hosts from a terminal.
	UnlockRequested struct {
		By    string `json:"by"`
		Force bool   `json:"force"` // also a rollback's, and what runs under it is killed
	}
	// Unlocked says what came of it on each host.
	Unlocked struct {
		By    string   `json:"by"`
		Force bool     `json:"force"`
		Hosts []string `json:"hosts"` // a sentence each: whose lock it was, and what was killed
	}
	// Verified says that the bot saw a release running and healthy on every host for VerifyAfter.
	Verified struct {
		Images map[string]Image `json:"images"`
		For    time.Duration    `json:"for"`
	}
)

func (Requested) Kind() string       { return "requested" }
func (Replanned) Kind() string       { return "replanned" }
func (Answered) Kind() string        { return "answered" }
func (Refused) Kind() string         { return "refused" }
func (DeadlinePassed) Kind() string  { return "deadline_passed" }
func (AbortRequested) Kind() string  { return "abort_requested" }
func (Asked) Kind() string           { return "asked" }
func (StepStarted) Kind() string     { return "step_started" }
func (StepFinished) Kind() string    { return "step_finished" }
func (LeaseTaken) Kind() string      { return "lease_taken" }
func (CommandStarted) Kind() string  { return "command_started" }
func (CommandFinished) Kind() string { return "command_finished" }
func (PinsWriting) Kind() string     { return "pins_writing" }
func (PinsWritten) Kind() string     { return "pins_written" }
func (PinsRestored) Kind() string    { return "pins_restored" }
func (Looked) Kind() string          { return "looked" }
func (Fetched) Kind() string         { return "fetched" }
func (Quarantined) Kind() string     { return "quarantined" }
func (Ended) Kind() string           { return "ended" }
func (NoticeIntended) Kind() string  { return "notice_intended" }
func (NoticePosted) Kind() string    { return "notice_posted" }
func (Published) Kind() string       { return "published" }
func (Deployed) Kind() string        { return "deployed" }
func (Observed) Kind() string        { return "observed" }
func (Lifted) Kind() string          { return "lifted" }
func (Diverged) Kind() string        { return "diverged" }
func (LockRequested) Kind() string   { return "lock_requested" }
func (LockTaken) Kind() string       { return "lock_taken" }
func (LockRefused) Kind() string     { return "lock_refused" }
func (UnlockRequested) Kind() string { return "unlock_requested" }
func (Unlocked) Kind() string        { return "unlocked" }
func (Verified) Kind() string        { return "verified" }

// kinds are the types of all facts, by their kinds.
var kinds = kindsOf(
	Requested{}, Replanned{}, Answered{}, Refused{}, DeadlinePassed{}, AbortRequested{}, Asked{}, StepStarted{},
	StepFinished{}, LeaseTaken{}, CommandStarted{}, CommandFinished{}, PinsWriting{}, PinsWritten{}, PinsRestored{},
	Looked{}, Fetched{}, Quarantined{}, Ended{}, NoticeIntended{}, NoticePosted{}, Published{}, Deployed{}, Observed{},
	Lifted{}, Diverged{}, LockRequested{}, LockTaken{}, LockRefused{}, UnlockRequested{}, Unlocked{}, Verified{},
	LogsRead{}, OwnerAsked{}, OwnerAccepted{}, OwnerReminded{}, OwnerOverdue{}, TicketIntended{}, TicketOpened{},
	TicketForgone{}, TicketUpdated{}, Addressed{}, Reminded{}, DeputiesAsked{}, BreakGlassOpened{}, HalfSigned{},
	NoticeSettled{}, Reconfigured{}, HealthChanged{}, Described{}, Drifted{}, Suggested{}, NoticeClosed{},
	ImagesChecked{}, Examined{}, BaselineFrozen{},
)

func kindsOf(facts ...Fact) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, fact := range facts {
		all[fact.Kind()] = reflect.TypeOf(fact)
	}
	return all
}

// Kinds lists all kinds of facts that there are, sorted.
func Kinds() []string { return SortedKeys(kinds) }

// KnownKind reports whether this version knows that kind of fact.
func KnownKind(kind string) bool { return kinds[kind] != nil }

// DecodeFact reads a fact of that kind from its JSON. An unknown kind is an error: a newer binary wrote it, and
// guessing at what it meant is not safe. Unknown fields of a known kind are ignored.
func DecodeFact(kind string, body []byte) (Fact, error) {
	of, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("the journal has an event of kind %q, which this version does not know: a newer version wrote it", kind)
	}
	fact := reflect.New(of)
	if err := json.Unmarshal(body, fact.Interface()); err != nil {
		return nil, fmt.Errorf("read a %s event: %w", kind, err)
	}
	return fact.Elem().Interface().(Fact), nil
}
