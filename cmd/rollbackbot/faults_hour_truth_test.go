package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
	"rollbackbot/runbook"
)

// perService is how many containers of each service the compose file asks for.
var perService = map[string]int{"api": 1, "worker": 2, "web": 1}

// judgeRecord compares what a rollback's record says with what runs on the hosts: nothing of this app is deployed by
// hand before this crew has read it.
func (c *crew) judgeRecord(now scene, rb rollbackScene) {
	record := rb.records[0]
	var payload recordPayload
	if err := json.Unmarshal(record.Metadata.Payload, &payload); err != nil {
		c.violation("the record of %s: %v", rb.id, err)
		return
	}
	c.count(c.outcomes, payload.Outcome)
	c.ledger.ended(rb.id)
	c.note("%s: %s %s, %s", c.app, rb.id, payload.Outcome, oneLineOf(record.Text))
	m := c.moods[rb.id]
	if m == nil || c.another(now, rb) {
		c.writing.Lock()
		c.unjudged++
		c.writing.Unlock()
		return
	}
	says := textOf(record)
	for _, host := range c.hosts {
		c.judgeHost(rb.id, payload, says, host)
	}
}

func oneLineOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// another reports whether the app has another rollback that isn't over: it may change what this record tells of.
func (c *crew) another(now scene, rb rollbackScene) bool {
	for _, other := range now.of(c.app) {
		if other.id != rb.id && len(other.records) == 0 {
			return true
		}
	}
	return false
}

// judgeHost compares what the record says of one host with what runs there.
func (c *crew) judgeHost(id string, record recordPayload, says string, host *practice.Host) {
	running := host.Running()
	onV1, onV2 := runs(running, host, practice.V1), runs(running, host, practice.V2)
	wrong := func(format string, args ...any) {
		c.violation("%s of %s, %s: its record says of %s that %s, and there run %v", id, c.app, record.Outcome, host.Host, fmt.Sprintf(format, args...), short(running))
	}
	excluded := strings.Contains(says, string(host.Host)+": left out of the plan")
	if (record.Outcome == "succeeded" || record.Outcome == "unconfirmed") && !excluded && !onV1 {
		wrong("the target runs everywhere")
	}
	if record.Outcome == "rolled_forward" && onV1 {
		wrong("it was rolled forward")
	}
	_, now, _ := strings.Cut(says, "What runs on each host now")
	_, rest, found := strings.Cut(now, string(host.Host)+": ")
	if !found {
		wrong("nothing: it is not named")
		return
	}
	line, _, _ := strings.Cut(rest, "\n")
	switch {
	case strings.HasPrefix(line, "runs the target") && !onlyOf(running, host, practice.V1),
		strings.HasPrefix(line, "runs what it started from") && onV1,
		strings.HasPrefix(line, "runs a mixed set") && (onV1 || onV2):
		wrong("%q", line)
	case strings.HasPrefix(line, "runs the target"), strings.HasPrefix(line, "runs what it started from"), strings.HasPrefix(line, "runs a mixed set"),
		strings.HasPrefix(line, "could not be seen"), strings.HasPrefix(line, "not known"), strings.HasPrefix(line, "was not looked at"), excluded:
	default:
		wrong("%q, which this test does not know", line)
	}
	if pins := host.Pins(); record.Outcome == "succeeded" && !excluded && !pinned(pins, host, practice.V1) {
		wrong("the target runs, but the pins are %v", pins)
	}
}

// runs reports whether every service has all of its containers, on a version's image.
func runs(running map[string][]runbook.Image, host *practice.Host, version string) bool {
	for service, n := range perService {
		if len(running[service]) != n {
			return false
		}
	}
	return onlyOf(running, host, version)
}

// onlyOf reports whether what runs of each service is of a version.
func onlyOf(running map[string][]runbook.Image, host *practice.Host, version string) bool {
	for service, image := range host.Images(version) {
		if len(running[service]) == 0 || slices.ContainsFunc(running[service], func(is runbook.Image) bool { return is != image }) {
			return false
		}
	}
	return true
}

func pinned(pins map[string]string, host *practice.Host, version string) bool {
	for service, image := range host.Images(version) {
		if pins[service] != image.String() {
			return false
		}
	}
	return true
}

// short names what runs by the versions.
func short(running map[string][]runbook.Image) string {
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(perService)) {
		var versions []string
		for _, image := range running[service] {
			name := "?"
			for _, r := range practice.Releases() {
				if r.Images[service] == image {
					name = r.Version
				}
			}
			versions = append(versions, name)
		}
		parts = append(parts, service+" "+strings.Join(versions, "+"))
	}
	return strings.Join(parts, ", ")
}

// textOf is all that a message says, one line for each part of its blocks.
func textOf(m localslack.Message) string {
	var blocks any
	_ = json.Unmarshal(m.Blocks, &blocks) // the local Slack has checked them
	var out strings.Builder
	walk(blocks, func(o map[string]any) {
		switch kind, _ := o["type"].(string); kind {
		case "rich_text_section", "section", "rich_text_quote", "rich_text_preformatted":
			out.WriteString("\n")
		}
		if text, ok := o["text"].(string); ok {
			out.WriteString(text)
		}
	})
	return out.String()
}

// said is one thing that a person did and was told nothing bad about.
type said struct {
	key      string // of the delivery
	rollback string // "" for a command
	user     string
	what     string // "request", "status", or the button's action
	at       time.Time
}

// same is what two presses of one button share.
func (s said) same() [3]string {
	if s.what == "abort" {
		return [3]string{s.rollback, "", s.what}
	}
	return [3]string{s.rollback, s.user, s.what}
}

// ledger counts what there must be once.
type ledger struct {
	mu       sync.Mutex
	accepted []said
	ends     map[string]time.Time // when a rollback's record was seen
	messages map[string]int       // by rollback and kind or key
	lost     int
	doubled  int
	told     int
}

func newLedger() *ledger {
	return &ledger{ends: map[string]time.Time{}, messages: map[string]int{}}
}

func (l *ledger) accept(s said) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = append(l.accepted, s)
}

func (l *ledger) ended(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends[id] = time.Now()
}

// finished reports whether a rollback's record was seen so long ago.
func (l *ledger) finished(id string, ago time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ended := l.ends[id]
	return ended && time.Since(at) > ago
}

// take counts messages that nobody will see again.
func (l *ledger) take(messages []localslack.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		if meta := metaOf(m); meta.Rollback != "" {
			l.messages[meta.Rollback+" "+kindOf(m)]++
		}
	}
}

// kindOf is what of a rollback a message is: its request, its record, or the key of what stands in the thread.
func kindOf(m localslack.Message) string {
	switch m.Metadata.EventType {
	case "rollback_request":
		return "request"
	case "rollback_record":
		return "record"
	}
	return metaOf(m).Key
}

// journalled is what the journal says of one rollback.
type journalled struct {
	app                      string
	requests, ends, finished int
	wanted                   []string // the messages that it must have
}

// chain is what the export of the journal tells.
type chain struct {
	rollbacks map[string]*journalled
	causes    map[string]bool    // keys of deliveries that an event names
	answers   map[[3]string]bool // what was answered: the rollback, the person, the button
	problems  []string
}

// readJournal reads the export of the whole journal.
func (h *hour) readJournal() (chain, error) {
	out := chain{rollbacks: map[string]*journalled{}, causes: map[string]bool{}, answers: map[[3]string]bool{}}
	path := filepath.Join(h.folder, "journal.jsonl")
	status, text, errs := h.program().run(h.tb, "audit", "export")
	if status != 0 {
		return out, fmt.Errorf("audit export ended with status %d: %s", status, errs)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return out, err
	}
	epochs := map[string]int64{}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var e struct {
			App, Rollback, Kind, Actor, Cause string
			Seq, Epoch                        int64
			Body                              json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return out, err
		}
		if e.Kind == "answered" {
			var body struct{ Answer string }
			if err := json.Unmarshal(e.Body, &body); err != nil {
				return out, err
			}
			out.answers[[3]string{e.Rollback, e.Actor, body.Answer}] = true
		}
		if e.Kind == "owner_accepted" {
			out.answers[[3]string{e.Rollback, e.Actor, "accept_owner"}] = true
		}
		if e.Cause != "" {
			out.causes[e.Cause] = true
		}
		if e.Epoch != 0 && e.Epoch < epochs[e.App] {
			out.problems = append(out.problems, fmt.Sprintf("event %d of %s has epoch %d after epoch %d", e.Seq, e.App, e.Epoch, epochs[e.App]))
		}
		epochs[e.App] = max(epochs[e.App], e.Epoch)
		if e.Rollback == "" {
			continue
		}
		rb := out.rollbacks[e.Rollback]
		if rb == nil {
			rb = &journalled{app: e.App}
			out.rollbacks[e.Rollback] = rb
		}
		rb.add(e.Kind, e.Body)
	}
	return out, lines.Err()
}

func (rb *journalled) add(kind string, body json.RawMessage) {
	switch kind {
	case "requested":
		rb.requests++
		rb.wanted = append(rb.wanted, "request")
	case "ended":
		rb.ends++
		rb.wanted = append(rb.wanted, "record")
	case "published":
		rb.finished++
	case "asked":
		var asked struct{ Question struct{ ID int64 } }
		_ = json.Unmarshal(body, &asked) // the journal's own
		rb.wanted = append(rb.wanted, fmt.Sprintf("question-%d", asked.Question.ID))
	}
}

// open says what of the rollbacks is not over yet; "" where nothing is.
func (c chain) open() string {
	var ids []string
	for id, rb := range c.rollbacks {
		if rb.ends == 0 || rb.finished == 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// judge looks at the whole hour when it is over.
func (h *hour) judge() {
	journal := h.lastJournal()
	status, text, errs := h.program().run(h.tb, "audit", "verify")
	if status != 0 {
		h.violation("audit verify ends with status %d: %s%s", status, text, errs)
	}
	close(h.ending)
	h.helping.Wait()
	if h.wrong == nil {
		h.note("audit verify: %s", text)
	}
	for _, problem := range journal.problems {
		h.violation("%s", problem)
	}
	h.ledger.take(h.slack.Forget(func(localslack.Message) bool { return true }))
	h.judgeMessages(journal)
	h.judgeDeliveries(journal)
	for _, host := range h.hosts() {
		h.judgeUps(host)
	}
	for _, r := range h.replicas {
		if text, grown := r.growth(); grown {
			h.violation("replica %d has grown: %s", r.number, text)
		}
	}
}

// lastJournal reads the journal once everything is said in it, or as it is when that takes too long.
func (h *hour) lastJournal() chain {
	for began := time.Now(); ; time.Sleep(2 * time.Second) {
		journal, err := h.readJournal()
		if err != nil {
			h.violation("%v", err)
			return journal
		}
		open, unknown := journal.open(), len(h.ledger.unknown(journal))
		if open == "" && unknown == 0 || time.Since(began) > patienceAtTheEnd/2 {
			if open != "" {
				h.violation("these rollbacks are not over: %s", open)
			}
			return journal
		}
	}
}

// judgeMessages wants each message of each rollback once.
func (h *hour) judgeMessages(journal chain) {
	for id, rb := range journal.rollbacks {
		if rb.requests != 1 || rb.ends > 1 {
			h.violation("the journal has %d requests and %d ends of %s", rb.requests, rb.ends, id)
		}
		for _, want := range rb.wanted {
			if h.ledger.messages[id+" "+want] == 0 {
				h.ledger.lost++
				h.violation("the %s of %s is not in Slack", want, id)
			}
		}
	}
	for what, n := range h.ledger.messages {
		id, _, _ := strings.Cut(what, " ")
		if n > 1 {
			h.ledger.doubled += n - 1
			h.violation("%q is %d times in Slack", what, n)
		}
		if journal.rollbacks[id] == nil {
			h.violation("%q is in Slack, and not in the journal", what)
		}
	}
}

// unknown are the accepted things that the journal does not name. A second press of the same button by the same person
// is none of them, also where the first one's acknowledgement was lost: twice is once. Neither is another person's word to stop what was stopped already.
func (l *ledger) unknown(journal chain) (missing []said) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := map[[3]string]bool{}
	for _, s := range l.accepted {
		if journal.causes[s.key] {
			known[s.same()] = true
		}
	}
	for _, s := range l.accepted {
		again := s.rollback != "" && (known[s.same()] || journal.answers[s.same()])
		if !journal.causes[s.key] && !again && s.what != "status" {
			missing = append(missing, s)
		}
	}
	return missing
}

func (h *hour) judgeDeliveries(journal chain) {
	for _, s := range h.ledger.unknown(journal) {
		h.ledger.lost++
		h.violation("%s by %s (%s) at %.2f was accepted, and is not in the journal", s.what, s.user, s.key, s.at.Sub(h.began).Seconds())
	}
}

// judgeUps wants no `up` of an older epoch after one of a newer on a host, and none twice. That no two run at once is the
// stand-in's own promise, which its lock keeps.
func (h *hour) judgeUps(host *practice.Host) {
	begun, newest := map[string]bool{}, int64(0)
	for _, b := range host.Inside.Begun() {
		if len(b.Job.Up) == 0 {
			continue
		}
		job := fmt.Sprintf("%s/%s of epoch %d", b.Rollback, b.Job.Name, b.Epoch)
		if begun[job] {
			h.violation("%s: %s began for the second time", host.Host, job)
		}
		if b.Epoch < newest {
			h.violation("%s: %s began after one of epoch %d", host.Host, job, newest)
		}
		begun[job], newest = true, max(newest, b.Epoch)
		h.ledger.told++
	}
}

func (l *ledger) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d things accepted, %d messages of rollbacks, %d `up`: %d lost, %d doubled", len(l.accepted), len(l.messages), l.told, l.lost, l.doubled)
}
