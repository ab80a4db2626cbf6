package main

import (
	"fmt"
	"time"

	"rollbackbot/config"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
)

// scenario is one thing to practise, on a world of its own.
type scenario struct {
	id, title string
	text      string   // what happens
	steps     []string // what is asked of whoever practises

	withoutMigration bool                          // v2's note says that it came without one; otherwise with one
	configure        func(*config.Config)          // what differs from the demo's configuration; may be nil
	prepare          func(*demoWorld)              // what is done before the bot starts; may be nil
	watch            func(*demo, *demoWorld)       // what happens by itself, until the world ends; may be nil
	button           string                        // the label of a button to press while it is played; "" for none
	press            func(*demo, *demoWorld) error // what the button does
	people           []localslack.Person           // beside Ana, Lena and Mallory
}

// What happens by itself lasts this long.
const (
	demoHostAway   = 20 * time.Second
	demoSlackAway  = 20 * time.Second
	demoBotAway    = 3 * time.Second
	demoSleeping   = 2 * time.Minute // the deadline of the sign-off while the lead is asleep
	demoEveryday   = "migration"     // the scenario that the demo begins with
	stepAsk        = "As Ana, send /rollback shop because checkout answers 503."
	stepSignOff    = "Become Lena, the engineering lead, and press “Roll back, leave the migration in place”."
	stepErrorRate  = "Become Ana, open the thread, and press “Back at its baseline”."
	practiseText   = "Each scenario has a bot of its own, and a host of its own: a stand-in, reached over real SSH. Starting one ends the other and clears the channel."
	settingTheBase = "Setting the scene: v1 runs well, then v2 is deployed and its api answers 503. A few seconds …"
)

func scenarios() []*scenario {
	return []*scenario{
		{
			id: "migration", title: "A migration in it",
			text:  "v2 is broken, and it brought a migration. Whether that may stay is the lead's to decide, before anything changes.",
			steps: []string{stepAsk, stepSignOff, "Watch the message: images, deployment, health, error rate.", stepErrorRate + " The record appears in the channel."},
		},
		{
			id: "release", title: "A bad release", withoutMigration: true,
			text:  "v2 is broken and came without a migration. No lead is needed: who asked confirms the plan.",
			steps: []string{stepAsk, "Read the plan, and press “Confirm the rollback”, still as Ana.", stepErrorRate},
		},
		{
			id: "sick", title: "Health never recovers",
			text:    "The shop's database is away: v1 answers 503 as well. The bot doesn't call that a success; it asks what to do.",
			steps:   []string{stepAsk, stepSignOff, "After 12 failed checks open the thread: try again, go back to v2, or abort.", "To see it end well, press the button below, then “Try again”."},
			prepare: func(w *demoWorld) { w.host.SetSick(true) },
			button:  "Bring the database back", press: (*demo).cure,
		},
		{
			id: "host", title: "The host is lost midway",
			text:  fmt.Sprintf("As soon as the api runs on v1, the host's SSH port is closed for %s, with half of the services still on v2.", inSeconds(demoHostAway)),
			steps: []string{stepAsk, stepSignOff, "Watch the line above the channel. The bot waits for the host, reads there how far it got, and goes on from that.", stepErrorRate},
			watch: (*demo).loseHost, button: "Bring the host back now", press: (*demo).hostBack,
		},
		{
			id: "slack", title: "Slack is lost",
			text:  fmt.Sprintf("As soon as the api runs on v1, Slack drops the bot and refuses every call for %s. The rollback goes on without it.", inSeconds(demoSlackAway)),
			steps: []string{stepAsk, stepSignOff, "Watch the line above the channel: it is read on the host, past the bot. The messages catch up by themselves.", stepErrorRate + " There is one record."},
			watch: (*demo).loseSlack,
		},
		{
			id: "asleep", title: "The lead is asleep",
			text: "Nobody signs off. The lead is reminded after 40 seconds, the deputy is asked after 80, and after 100 two requesters may sign off together.",
			steps: []string{stepAsk, "Don't answer as Lena: sleep.", "From 80 seconds on, become Dora, the deputy, and sign off.",
				"Or, from 100 seconds on, let Ana and Ben each write a reason in the thread and sign off. After 120 the request expires."},
			configure: func(cfg *config.Config) {
				cfg.SignoffTimeout = demoSleeping
				cfg.People.Deputies, cfg.People.BreakGlass = []string{demoDeputy}, true
				cfg.People.Requesters = append(cfg.People.Requesters, demoSecond)
			},
			people: []localslack.Person{{User: demoDeputy, Role: "deputy"}, {User: demoSecond, Role: "on-call too"}},
		},
		{
			id: "stranger", title: "A stranger clicks",
			text:  "Mallory is in the channel but has no rights. Nothing that she presses counts, and only she sees why.",
			steps: []string{stepAsk, "Become Mallory and press any button of the request: she is refused.", "Become Ana and try to sign off: who asked can't.", stepSignOff, stepErrorRate},
		},
		{
			id: "killed", title: "The bot is killed",
			text:   fmt.Sprintf("The button ends the bot's process with SIGKILL, at any moment you like. After %s a new process starts from the same database and goes on.", inSeconds(demoBotAway)),
			steps:  []string{stepAsk, stepSignOff, "Press the button below while it deploys, or at any other moment, as often as you like.", stepErrorRate + " There is one record."},
			button: "Kill the bot now", press: (*demo).killBot,
		},
	}
}

func scenarioOf(id string) *scenario {
	for _, s := range scenarios() {
		if s.id == id {
			return s
		}
	}
	return nil
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%d seconds", int(d.Seconds())) }

// cure lets the shop answer by itself again.
func (d *demo) cure(w *demoWorld) error {
	w.host.SetSick(false)
	d.say("The database is back. What runs now answers by itself again; the bot is told nothing.")
	return nil
}

// loseHost closes the host's SSH port in the midst of the deployment, until hostBack or for demoHostAway.
func (d *demo) loseHost(w *demoWorld) {
	if !w.await(func() bool { return w.runs("api", practice.V1) }) {
		return
	}
	if err := w.host.Link().Refuse(true); err != nil {
		d.say("The host's SSH port could not be closed: " + err.Error())
		return
	}
	w.host.Link().Cut()
	d.say("The host is lost: its SSH port is closed, the connections are cut. It comes back by the button, or after " + inSeconds(demoHostAway) + ".")
	if w.pause(demoHostAway, w.recall) {
		d.openHost(w)
	}
}

func (d *demo) openHost(w *demoWorld) {
	if err := w.host.Link().Refuse(false); err != nil {
		d.say("The host's SSH port could not be opened again: " + err.Error())
		return
	}
	d.say("The host is back. The bot reads there what became of its commands, and goes on.")
}

func (d *demo) hostBack(w *demoWorld) error {
	w.recallOnce.Do(func() { close(w.recall) })
	return nil
}

// loseSlack takes Slack away from the bot in the midst of the deployment, and tells meanwhile what the host says.
func (d *demo) loseSlack(w *demoWorld) {
	if !w.await(func() bool { return w.runs("api", practice.V1) }) {
		return
	}
	d.slack.Fault(func(localslack.Call) *localslack.Fault { return &localslack.Fault{Status: 503} })
	d.slack.DropSockets()
	until := time.Now().Add(demoSlackAway)
	for left := demoSlackAway; left > 0; left = time.Until(until) {
		d.say(fmt.Sprintf("Slack is lost for %d seconds more: buttons do nothing, messages stand still. %s", int(left.Seconds()), w.sight()))
		if !w.pause(min(left, time.Second), nil) {
			return // the world's end lets Slack answer again
		}
	}
	d.slack.Fault(nil)
	d.say("Slack answers again. The bot connects within seconds and brings its messages up to date.")
}

// killBot is kill -9, and a new process after a while.
func (d *demo) killBot(w *demoWorld) error {
	old := w.process()
	if err := old.kill(); err != nil {
		return err
	}
	d.say(fmt.Sprintf("Process %d, the bot, was ended with SIGKILL. A new one starts in %s from the same database.", old.pid(), inSeconds(demoBotAway)))
	if !w.pause(demoBotAway, nil) {
		return nil
	}
	if err := d.startBot(w.ctx, w); err != nil {
		return err
	}
	d.say(fmt.Sprintf("Process %d was ended with SIGKILL; process %d has read the journal and goes on.", old.pid(), w.process().pid()))
	return nil
}
