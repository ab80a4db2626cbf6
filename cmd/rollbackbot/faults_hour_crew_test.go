package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
)

// crew is the team of one app: it deploys a broken release, asks for a rollback, answers what is asked, and once the
// record is there it does so again.
type crew struct {
	*hour
	app    string
	hosts  []*practice.Host
	random *rand.Rand
	judged map[string]bool // rollbacks whose record was looked at
	moods  map[string]*mood

	accepting sync.WaitGroup // owners of follow-ups who are about to accept them
}

// mood is what people mean to do in one rollback.
type mood struct {
	signoff  string // the lead's button
	silent   bool   // nobody answers anything
	elevated bool   // the error rate is judged elevated once
	abort    bool   // who asked stops it
	abortAt  time.Time
	pressed  map[string]time.Time // buttons, by their message and action
	failures map[string]offer     // what is pressed about each failure, by its question's message
}

const (
	lookInterval = 250 * time.Millisecond
	askAgain     = 4 * time.Second  // how long people wait for a request's message before they ask again
	pressAgain   = 3 * time.Second  // how long they wait for a message to change before they press its button again
	longest      = 12 * time.Minute // how long a rollback may take, whatever is broken
)

// live goes on until nothing new is to be begun.
func (c *crew) live() {
	for !c.halted() {
		if c.deployBroken() {
			c.rollBack()
		}
	}
	c.carryToTheEnd()
}

// deployBroken deploys the broken release by hand on every host. What the bot left running there ends first.
func (c *crew) deployBroken() bool {
	tidy := c.random.IntN(3) == 0
	for _, host := range c.hosts {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err := host.Deploy(ctx, practice.V2)
		cancel()
		if err != nil {
			c.violation("%s on %s: %v", c.app, host.Host, err)
			return false
		}
		if tidy {
			host.Tidy(practice.V1)
		}
	}
	return true
}

// rollBack asks until there is a request, and carries every open one of the app to its record.
func (c *crew) rollBack() {
	deployed := time.Now()
	line := c.line()
	var asked time.Time
	for judged := len(c.judged); ; time.Sleep(lookInterval) {
		now := c.scene()
		open := c.open(now)
		switch {
		case open != nil:
			c.carry(*open)
		case len(c.judged) > judged:
			return
		case c.halted() && time.Since(asked) > askAgain:
			return
		case time.Since(asked) > askAgain:
			c.types(onCall, line, true)
			asked = time.Now()
		}
		if time.Since(deployed) > longest {
			c.violation("%s: no record after %s", c.app, longest)
			return
		}
	}
}

// carryToTheEnd answers what is asked until nothing of the app is open any more.
func (c *crew) carryToTheEnd() {
	for quiet := time.Now(); time.Since(quiet) < 2*askAgain; time.Sleep(lookInterval) {
		now := c.scene()
		if open := c.open(now); open != nil {
			quiet = time.Now()
			c.carry(*open)
		}
	}
	c.accepting.Wait()
}

// acceptWithin is how long the owner of a follow-up looks for the private message: where nothing was replaced, none comes.
const acceptWithin = 40 * time.Second

// accepts has the owner of a rollback's follow-up accept it, until its button is gone.
func (h *hour) accepts(rollback string) {
	for began, pressed := time.Now(), false; time.Since(began) < acceptWithin; time.Sleep(pressAgain) {
		now, found := h.slack.Snapshot(), false
		for _, user := range []string{onCall, lead} {
			for _, m := range now.Direct(user) {
				if blocks := string(m.Blocks); strings.Contains(blocks, `"accept_owner"`) && strings.Contains(blocks, rollback) {
					found, pressed = true, true
					h.presses(rollback, user, m)
				}
			}
		}
		if pressed && !found {
			return
		}
	}
}

func (h *hour) presses(rollback, user string, m localslack.Message) {
	h.sweeping.RLock()
	defer h.sweeping.RUnlock()
	ack, err := h.slack.Click(context.Background(), user, m.Channel, m.TS, "accept_owner")
	h.said(said{rollback: rollback, user: user, what: "accept_owner"}, ack, err)
}

// line is what is typed to ask.
func (c *crew) line() string {
	line := "/rollback " + c.app + " to " + practice.V1
	line += []string{"", " migration yes", " migration none", " migration unknown"}[c.random.IntN(4)]
	if c.random.IntN(2) == 0 {
		line += " owner <@" + lead + ">"
	}
	return line + []string{"", " because v2 answers 503", " because of <!channel> & *more*"}[c.random.IntN(3)]
}

// open gives the app's open rollback, after it has judged those that have ended.
func (c *crew) open(now scene) *rollbackScene {
	var open *rollbackScene
	for _, rb := range now.of(c.app) {
		if c.judged[rb.id] {
			continue
		}
		if len(rb.records) == 0 {
			open = &rb
			continue
		}
		c.judged[rb.id] = true
		c.judgeRecord(now, rb)
		delete(c.moods, rb.id)
		c.accepting.Go(func() { c.accepts(rb.id) })
	}
	return open
}

func (c *crew) newMood() *mood {
	m := &mood{pressed: map[string]time.Time{}, failures: map[string]offer{}, signoff: "signoff_in_place"}
	switch chance := c.random.IntN(100); {
	case chance < 3:
		m.signoff = "signoff_reject"
	case chance < 6:
		m.silent = true
	case chance < 9:
		m.abort, m.abortAt = true, time.Now().Add(time.Duration(c.random.IntN(8000))*time.Millisecond)
	case chance < 13:
		m.elevated = true
	case chance < 40:
		m.signoff = "signoff_reverted"
	case chance < 50:
		m.signoff = "signoff_none"
	}
	return m
}

// carry does what people do next in an open rollback.
func (c *crew) carry(rb rollbackScene) {
	m := c.moods[rb.id]
	if m == nil {
		m = c.newMood()
		c.moods[rb.id] = m
		c.note("%s: %s is open", c.app, rb.id)
	}
	if m.silent && !c.halted() {
		return
	}
	if m.abort && time.Now().After(m.abortAt) {
		if b, ok := rb.buttons["abort"]; ok {
			c.press(rb, m, b, onCall)
			return
		}
	}
	for _, offer := range c.offers(rb, m) {
		if b, ok := rb.buttons[offer.action]; ok {
			c.press(rb, m, b, offer.user)
			return
		}
	}
}

// enough is after how many failures of a rollback people stop it.
const enough = 8

type offer struct{ action, user string }

// offers are the buttons that people look for, in this order.
func (c *crew) offers(rb rollbackScene, m *mood) []offer {
	judged := offer{"error_rate_baseline", []string{onCall, lead}[c.random.IntN(2)]}
	if m.elevated {
		judged.action = "error_rate_elevated"
	}
	all := []offer{{m.signoff, lead}, {"confirm", onCall}, judged}
	if b, asked := rb.buttons["retry"]; asked {
		return append(all, c.afterFailure(m, b.ts), offer{"retry", onCall})
	}
	return all
}

// afterFailure is what people do about a failure: they make up their mind once for each.
func (c *crew) afterFailure(m *mood, question string) offer {
	if m.failures[question] == (offer{}) {
		switch chance := c.random.IntN(100); {
		case len(m.failures) >= enough: // what was rolled forward to is broken by itself, and stays so
			m.failures[question] = offer{"abort", lead}
		case chance < 10:
			m.failures[question] = offer{"roll_forward", lead}
		case chance < 16:
			m.failures[question] = offer{"abort", lead}
		default:
			m.failures[question] = offer{"retry", onCall}
		}
	}
	return m.failures[question]
}

// press presses a button, unless it was pressed a moment ago. Around it other things happen: a stranger presses it
// first, somebody else at the same moment, or the same person twice.
func (c *crew) press(rb rollbackScene, m *mood, b shownButton, user string) {
	key := b.ts + " " + b.action
	if time.Since(m.pressed[key]) < pressAgain {
		return
	}
	m.pressed[key] = time.Now()
	m.elevated = m.elevated && b.action != "error_rate_elevated"
	switch c.random.IntN(12) {
	case 0:
		c.clicks(rb.id, []string{nobody, guest}[c.random.IntN(2)], b)
	case 1:
		go c.clicks(rb.id, user, b)
	case 2:
		go c.clicks(rb.id, map[string]string{onCall: lead, lead: onCall}[user], b)
	}
	c.clicks(rb.id, user, b)
}

// clicks has a person press a button.
func (h *hour) clicks(rollback, user string, b shownButton) {
	h.sweeping.RLock()
	defer h.sweeping.RUnlock()
	ack, err := h.slack.ClickValue(context.Background(), user, channel, b.ts, b.action, b.value)
	h.said(said{rollback: rollback, user: user, what: b.action}, ack, err)
}

// types has a person type a command. asks says that it asks for a rollback.
func (c *crew) types(user, line string, asks bool) {
	c.sweeping.RLock()
	defer c.sweeping.RUnlock()
	ack, err := c.slack.Command(context.Background(), user, channel, line)
	what := said{user: user, what: "status"}
	if asks {
		what.what = "request"
	}
	c.said(what, ack, err)
}

// said takes what came of something that a person did: it counts as accepted where the bot acknowledged it and did not
// say otherwise.
func (h *hour) said(what said, ack localslack.Ack, err error) {
	switch {
	case err == nil && !strings.Contains(string(ack.Payload), "NOT accepted"):
		what.key, what.at = h.keyOf(ack.Envelope), time.Now()
		h.ledger.accept(what)
	case err == nil, errors.Is(err, localslack.ErrNotAcked):
		h.writing.Lock()
		h.refused++
		h.writing.Unlock()
	case errors.Is(err, localslack.ErrNoElement), errors.Is(err, localslack.ErrNoMessage):
		// The message has changed in the meantime.
	case errors.Is(err, localslack.ErrClosed):
	default:
		h.violation("%s by %s: %v", what.what, what.user, err)
	}
}

// keyOf is the key by which the bot knows what an envelope brought.
func (h *hour) keyOf(envelope string) string {
	for _, e := range slices.Backward(h.slack.Envelopes()) {
		if e.ID == envelope {
			var payload struct {
				Trigger string `json:"trigger_id"`
			}
			_ = json.Unmarshal(e.Payload, &payload) // localslack's own
			return payload.Trigger
		}
	}
	return ""
}

// scene is the channel as people see it, by rollbacks.
type scene struct {
	order     []string // of the requests
	rollbacks map[string]*rollbackScene
}

type rollbackScene struct {
	id, app  string
	requests []localslack.Message
	records  []localslack.Message
	buttons  map[string]shownButton // that can be pressed, by action
}

type shownButton struct{ ts, action, value string }

// messageMeta is what the bot writes into the metadata of its messages.
type messageMeta struct{ Rollback, App, Key string }

func metaOf(m localslack.Message) (meta messageMeta) {
	if m.Metadata != nil {
		_ = json.Unmarshal(m.Metadata.Payload, &meta) // what isn't the bot's has no rollback
	}
	return meta
}

func (h *hour) scene() scene {
	s := scene{rollbacks: map[string]*rollbackScene{}}
	now := h.slack.Snapshot()
	byRequest := map[string]*rollbackScene{}
	for _, m := range now.Messages(channel) {
		meta := metaOf(m)
		if meta.Rollback == "" {
			continue
		}
		rb := s.rollbacks[meta.Rollback]
		if rb == nil {
			rb = &rollbackScene{id: meta.Rollback, app: meta.App, buttons: map[string]shownButton{}}
			s.rollbacks[rb.id], s.order = rb, append(s.order, rb.id)
		}
		switch m.Metadata.EventType {
		case "rollback_request":
			rb.requests, byRequest[m.TS] = append(rb.requests, m), rb
			rb.show(m)
		case "rollback_record":
			rb.records = append(rb.records, m)
		}
	}
	for ts, rb := range byRequest {
		if len(rb.records) > 0 {
			continue
		}
		for _, m := range now.Replies(channel, ts) {
			rb.show(m)
		}
	}
	return s
}

// of are the app's rollbacks that have a request's message, the oldest first.
func (s scene) of(app string) (found []rollbackScene) {
	for _, id := range s.order {
		if rb := s.rollbacks[id]; rb.app == app && len(rb.requests) > 0 {
			found = append(found, *rb)
		}
	}
	return found
}

// show takes the buttons of a message.
func (rb *rollbackScene) show(m localslack.Message) {
	var blocks any
	_ = json.Unmarshal(m.Blocks, &blocks) // a message without blocks has no buttons
	walk(blocks, func(o map[string]any) {
		action, _ := o["action_id"].(string)
		value, _ := o["value"].(string)
		if action != "" && value != "" {
			rb.buttons[action] = shownButton{m.TS, action, value}
		}
	})
}

// walk visits every object of a JSON value, in the order in which they stand.
func walk(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case []any:
		for _, e := range v {
			walk(e, visit)
		}
	case map[string]any:
		visit(v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			walk(v[name], visit)
		}
	}
}
