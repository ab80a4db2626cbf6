package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/runbook"
)

// Desk works the inbox off: what people asked for is done, and they are answered privately. Deliveries of the same app's
// requests, and of the same rollback's answers, are taken in the order in which they came; all others side by side.
//
// A delivery is done when it was dealt with, whatever came of it. One that a stop or a crash interrupted is still in
// the inbox, and is worked off at the next start with the same result.
type Desk struct {
	Runner    Runner
	Inbox     runbook.Inbox
	Directory runbook.Directory
	Form      *Form
	Speaker   Speaker
	Channel   Channel                                 // the team channel
	Doctor    func(context.Context) []runbook.Finding // what `/rollback doctor` tells
	Home      *Home                                   // the Home tabs; nil: there are none
	Drill     string                                  // the ID of the drill that this desk is for, and takes nothing else; empty: no drill's
	Others    func(kind string) bool                  // says what another door deals with; nil: nothing
	Log       zerolog.Logger

	once  sync.Once
	news  chan struct{}
	hands chan struct{} // has a place for each question in hand
	work  sync.WaitGroup
	mu    sync.Mutex
	lanes map[string][]errand // what is waiting in each lane behind the one being worked on
	seen  map[string]bool     // keys taken from the inbox: false while in hand, true when done
	tries map[string]int      // how often an errand was left for later, by its key
}

const (
	// deskHands is how many questions are in hand at once. There may be thousands of them, and what they cost must not
	// keep the acknowledgements waiting; requests, and answers to a rollback, never wait for a hand.
	deskHands = 16
	// deskInterval is how often the inbox is looked through without being told: another process may have stored
	// something, and the inbox may not have been readable.
	deskInterval = 2 * time.Second
	// formAge is how long a form's command is left to the Handler that stored it: its trigger is good for 3 s.
	formAge        = 5 * time.Second
	firstDoneRetry = 200 * time.Millisecond
	lastDoneRetry  = 10 * time.Second
)

func (d *Desk) init() {
	d.once.Do(func() {
		d.news, d.hands = make(chan struct{}, 1), make(chan struct{}, deskHands)
		d.lanes, d.seen, d.tries = map[string][]errand{}, map[string]bool{}, map[string]int{}
	})
}

// Wake says that the inbox has something new. It never waits, and may be called from any goroutine.
func (d *Desk) Wake() {
	d.init()
	select {
	case d.news <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Run works the inbox off until ctx ends; then it waits for what is in hand to be put down. At its start it takes up
// what a former process left.
func (d *Desk) Run(ctx context.Context) {
	d.init()
	defer d.work.Wait()
	if d.Home != nil {
		d.work.Go(func() { d.Home.keep(ctx) })
	}
	tick := time.NewTicker(deskInterval)
	defer tick.Stop()
	for {
		if err := d.look(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error().Err(err).Msg("the inbox could not be read; trying again")
		}
		select {
		case <-ctx.Done():
			return
		case <-d.news:
		case <-tick.C:
		}
	}
}

// look takes what is new in the inbox into its lane.
func (d *Desk) look(ctx context.Context) error {
	// Before reading: what was done by now is not read any more, and a key that is forgotten later would be taken again.
	d.forget()
	pending, err := d.Inbox.Pending(ctx)
	if err != nil {
		return err
	}
	for _, delivery := range pending {
		if d.Others != nil && d.Others(delivery.Kind) || byHandler[delivery.Kind] && time.Since(delivery.At) < formAge {
			continue
		}
		d.take(ctx, delivery)
	}
	return nil
}

// byHandler are the kinds of deliveries that the Handler deals with itself, since they are about an open form or a trigger.
var byHandler = map[string]bool{kindForm: true, kindChoice: true, kindHomeForm: true}

func (d *Desk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, done := range d.seen {
		if done {
			delete(d.seen, key)
		}
	}
}

func (d *Desk) take(ctx context.Context, delivery runbook.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, taken := d.seen[delivery.Key]; taken {
		return
	}
	e := readErrand(delivery)
	if d.leaves(e) {
		return
	}
	d.seen[delivery.Key] = false
	lane := e.lane()
	waiting, busy := d.lanes[lane]
	d.lanes[lane] = append(waiting, e)
	if !busy {
		d.work.Go(func() { d.workOff(ctx, lane) })
	}
}

// workOff takes one errand of a lane after the other, until none is left.
func (d *Desk) workOff(ctx context.Context, lane string) {
	for {
		e, ok := d.next(lane)
		if !ok {
			return
		}
		if e.isQuestion() {
			d.hands <- struct{}{}
			d.attend(ctx, e)
			<-d.hands
			continue
		}
		d.attend(ctx, e)
	}
}

func (d *Desk) next(lane string) (errand, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := d.lanes[lane]
	if len(waiting) == 0 {
		delete(d.lanes, lane)
		return errand{}, false
	}
	d.lanes[lane] = waiting[1:]
	return waiting[0], true
}

// attend deals with one errand and marks it as done. What a stop interrupted stays in the inbox.
func (d *Desk) attend(ctx context.Context, e errand) {
	if ctx.Err() != nil {
		return
	}
	log := d.Log.With().Str("delivery", e.delivery.Key).Str("kind", e.delivery.Kind).Str("actor", e.by).Logger()
	if err := d.deal(ctx, e); err != nil {
		switch {
		case ctx.Err() != nil, errors.Is(err, runbook.ErrStaleEpoch):
			return // another process has taken over, or will, and works off what is in the inbox
		case notNow(err):
			d.leave(ctx, log, e, err)
			return
		}
		log.Warn().Err(err).Msg("a delivery came to nothing")
	}
	if d.done(ctx, log, e.delivery.Key) {
		d.mu.Lock()
		d.seen[e.delivery.Key] = true
		delete(d.tries, e.delivery.Key)
		d.mu.Unlock()
	}
}

// notNow reports whether the journal was to blame: then nothing came of an errand, or nobody knows what did, which the
// journal tells by the errand's key when it is tried again. Its person was told that it was accepted, and it is.
func notNow(err error) bool {
	return errors.Is(err, runbook.ErrAway) || errors.Is(err, runbook.ErrUncertain)
}

// leave has an errand taken up again in a while, and tells its person once that it waits.
func (d *Desk) leave(ctx context.Context, log zerolog.Logger, e errand, why error) {
	d.mu.Lock()
	d.tries[e.delivery.Key]++
	tries := d.tries[e.delivery.Key]
	d.mu.Unlock()
	wait := min(firstDoneRetry<<min(tries, 10), lastDoneRetry)
	log.Error().Err(why).Dur("again_in", wait).Msg("a delivery can't be dealt with now; it stays in the inbox")
	if tries == 1 {
		if err := d.tell(ctx, e, TextMessage(keptForLater)); err != nil {
			log.Warn().Err(err).Msg("a person could not be told that it takes longer")
		}
	}
	time.AfterFunc(wait, func() {
		d.mu.Lock()
		delete(d.seen, e.delivery.Key)
		d.mu.Unlock()
		d.Wake()
	})
}

// keptForLater is for whoever would wait in vain for an answer.
const keptForLater = "The bot's database doesn't answer just now. What you asked for is kept, and is dealt with as soon as it does; you need not repeat it."

// done marks a delivery as done, and tries until that is written: one that stays pending is worked off again.
func (d *Desk) done(ctx context.Context, log zerolog.Logger, key string) bool {
	for wait := firstDoneRetry; ; wait = min(2*wait, lastDoneRetry) {
		err := d.markDone(ctx, key)
		if err == nil {
			return true
		}
		log.Error().Err(err).Msg("a delivery could not be marked as done; trying again")
		if sleep(ctx, wait) != nil {
			return false
		}
	}
}

// markDone is not cut short by a stop: what was dealt with is not to be dealt with again after the next start.
func (d *Desk) markDone(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return d.Inbox.Done(ctx, key)
}

var errPanic = errors.New("a bug stopped it")

// deal does what an errand asks for and answers it. The error is for the log; the person has been answered. A panic is
// that errand's failure alone.
func (d *Desk) deal(ctx context.Context, e errand) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			d.Log.Error().Interface("panic", problem).Bytes("stack", debug.Stack()).Str("delivery", e.delivery.Key).Msg("a delivery could not be worked off")
			err = errors.Join(errPanic, d.apologise(ctx, e))
		}
	}()
	if e.drill() != d.Drill {
		return d.tell(ctx, e, TextMessage(drillOver))
	}
	switch e.delivery.Kind {
	case kindEvent:
		return d.event(ctx, e)
	case kindClick:
		return d.answer(ctx, e)
	case kindRefused:
		return d.refusedForm(ctx, e)
	case kindChoice:
		return nil // the process that it was meant for is gone, and so is the moment: the form can be sent as it is
	case kindSubmission:
		return d.submitted(ctx, e)
	case kindForm, kindHomeForm:
		return d.tell(ctx, e, TextMessage(formOverdue)) // its trigger ran out, maybe while no process was there to use it
	case kindCommand:
		return d.command(ctx, e)
	}
	return errNothingToDo // stored by another version of the bot
}

// apologise tells a person that a bug stopped what they asked for, unless the bug is in the telling.
func (d *Desk) apologise(ctx context.Context, e errand) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("tell so: %v", problem)
		}
	}()
	return d.tell(ctx, e, TextMessage(Sentence(errPanic)))
}

// tell answers a person privately. A person who can't be reached is no reason to do anything again.
func (d *Desk) tell(ctx context.Context, e errand, m Message) error {
	if e.by == "" {
		return nil
	}
	return d.Speaker.Private(ctx, e.reply, m)
}

// fail answers a person with what went wrong, and gives the error on to the log.
func (d *Desk) fail(ctx context.Context, e errand, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // a stop, not a failure: it is dealt with after the next start
	case errors.Is(err, runbook.ErrStaleEpoch), notNow(err):
		return err // whoever has taken over deals with it, or this process later
	}
	return errors.Join(err, d.tell(ctx, e, TextMessage(Sentence(err))))
}
