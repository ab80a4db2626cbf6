package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"rollbackbot/internal/localslack"
)

func demoCommand() *cobra.Command {
	var addr string
	var headless bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try the whole product on this machine; needs nothing",
		Long: "Starts a Slack on this machine as a web page, and a host, reached over real SSH, on which a broken release runs.\n" +
			"Open the page, type /rollback shop, sign off as the lead, and watch it heal. Its panel has more to practise: health\n" +
			"that never recovers, a lost host, a lost Slack, a lead who sleeps, a killed bot. Ctrl-C leaves nothing behind.",
		Example: "  rollbackbot demo\n  rollbackbot demo --headless    # plays it in the terminal and prints the record",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
				return usage("--addr %q: give a loopback address with a port, as in 127.0.0.1:8400", addr)
			}
			if headless {
				return playDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return showDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), addr)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8400", "where the page listens: loopback only")
	cmd.Flags().BoolVar(&headless, "headless", false, "play the rollback in the terminal, without a page")
	return cmd
}

// The people of the demo's workspace.
const (
	demoChannel = "C0ROLLBACK"
	demoOnCall  = "U0ANA"
	demoLead    = "U0LENA"
	demoNobody  = "U0MALLORY"
	demoDeputy  = "U0DORA"
	demoSecond  = "U0BEN"
	demoBot     = "U0ROLLBACKBOT"
	demoLeads   = "S0LEADS"
)

// The demo's waiting times. The page says that they are shortened.
const (
	demoHealthInterval = time.Second
	demoWindow         = 15 * time.Second
	demoVerifyAfter    = time.Second
	demoObserve        = 300 * time.Millisecond
)

const demoBanner = "Practice on this machine: nothing here reaches a real Slack or a real server. Waiting times are shortened: " +
	"the error rate is watched for 15 seconds instead of 5 minutes."

// demo is the whole product on embedded parts: a Slack that stays, and a world for each scenario.
type demo struct {
	slack   *localslack.Server
	errs    io.Writer   // the bot's log
	presses chan string // the panel's buttons, one at a time

	mu      sync.Mutex
	world   *demoWorld // nil while none runs
	playing *scenario
	now     string // what the page says that happens at the moment
	busy    bool
}

func demoWorkspace() localslack.Workspace {
	return localslack.Workspace{
		TeamName: "Practice", BotUser: demoBot, Commands: []string{"/rollback"},
		Users: []localslack.User{
			{ID: demoOnCall, Name: "ana", RealName: "Ana"}, {ID: demoLead, Name: "lena", RealName: "Lena"},
			{ID: demoNobody, Name: "mallory", RealName: "Mallory"}, {ID: demoDeputy, Name: "dora", RealName: "Dora"},
			{ID: demoSecond, Name: "ben", RealName: "Ben"}, {ID: demoBot, Name: "rollbackbot", RealName: "Rollbackbot", Bot: true},
		},
		Channels: []localslack.Channel{{ID: demoChannel, Name: "shop-production",
			Members: []string{demoOnCall, demoLead, demoNobody, demoDeputy, demoSecond, demoBot}}},
		Groups: []localslack.UserGroup{{ID: demoLeads, Handle: "engineering-leads", Members: []string{demoLead}}},
	}
}

// startDemo starts the Slack and the first scenario on it.
func startDemo(ctx context.Context, errs io.Writer, addr string, first *scenario) (d *demo, err error) {
	d = &demo{errs: errs, presses: make(chan string, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	d.slack = localslack.New(demoWorkspace(), localslack.WithBanner(demoBanner),
		localslack.WithSuggestions("/rollback shop because checkout answers 503", "/rollback", "/rollback help"), localslack.WithPressed(d.pressed))
	if err := d.slack.Start(addr); err != nil {
		return d, fmt.Errorf("%w; is another demo running? --addr chooses another port", err)
	}
	return d, d.play(ctx, first)
}

// play puts the demo into a scenario, whatever was before.
func (d *demo) play(ctx context.Context, s *scenario) error {
	d.update(func() { d.playing, d.now, d.busy = s, settingTheBase, true })
	d.mu.Lock()
	old := d.world
	d.world = nil
	d.mu.Unlock()
	if old != nil {
		if err := old.close(); err != nil {
			return err
		}
	}
	d.slack.Forget(func(localslack.Message) bool { return true })
	d.slack.SetPeople(append([]localslack.Person{{User: demoOnCall, Role: "on-call"}, {User: demoLead, Role: "engineering lead"},
		{User: demoNobody, Role: "no rights"}}, s.people...)...)
	w, err := d.startWorld(ctx, s)
	if err != nil {
		d.update(func() { d.busy = false })
		return err
	}
	d.update(func() { d.world, d.now, d.busy = w, "", false })
	if s.watch != nil {
		w.work.Go(func() { s.watch(d, w) })
	}
	return nil
}

// update changes what the panel shows, and shows it.
func (d *demo) update(edit func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	edit()
	panel := localslack.Panel{Title: "Scenarios", Text: practiseText, Now: d.now, Busy: d.busy}
	for _, s := range scenarios() {
		item := localslack.PanelItem{ID: s.id, Title: s.title, Text: s.text, Steps: s.steps, Current: d.playing != nil && s.id == d.playing.id}
		if item.Current && s.button != "" {
			item.Buttons = append(item.Buttons, localslack.PanelButton{ID: pressDo + s.id, Label: s.button})
		}
		label := "Start"
		if item.Current {
			label = "Start again"
		}
		item.Buttons = append(item.Buttons, localslack.PanelButton{ID: pressStart + s.id, Label: label})
		panel.Items = append(panel.Items, item)
	}
	d.slack.SetPanel(panel)
}

// say shows what happens at the moment.
func (d *demo) say(text string) { d.update(func() { d.now = text }) }

// What the IDs of the panel's buttons begin with; the scenario's follows.
const (
	pressStart = "start:"
	pressDo    = "do:"
)

// pressed takes a press in; one that comes while another waits is none.
func (d *demo) pressed(button string) {
	select {
	case d.presses <- button:
	default:
	}
}

// attend does what the panel's buttons ask for, one after the other, until ctx ends.
func (d *demo) attend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case button := <-d.presses:
			if err := d.press(ctx, button); err != nil && ctx.Err() == nil {
				fmt.Fprintln(d.errs, err)
				d.say("That didn't work: " + err.Error() + ". Start a scenario again.")
			}
		}
	}
}

func (d *demo) press(ctx context.Context, button string) error {
	if id, is := strings.CutPrefix(button, pressStart); is {
		return d.play(ctx, scenarioOf(id))
	}
	d.mu.Lock()
	s, w := d.playing, d.world
	d.mu.Unlock()
	if w == nil || button != pressDo+s.id {
		return nil // pressed before the page knew that another scenario runs
	}
	return s.press(d, w)
}

// close ends every part and leaves nothing behind.
func (d *demo) close() error {
	var failures []error
	d.mu.Lock()
	w := d.world
	d.mu.Unlock()
	if w != nil {
		failures = append(failures, w.close())
	}
	if d.slack != nil {
		failures = append(failures, d.slack.Close())
	}
	return errors.Join(failures...)
}

// runDemo starts the demo with a scenario; during is what happens while the bot listens.
func runDemo(ctx context.Context, out, errs io.Writer, addr string, first *scenario, during func(context.Context, *demo) error) (err error) {
	fmt.Fprintln(out, "Setting the scene: v1 runs well, then v2 is deployed and its api answers 503 …")
	d, err := startDemo(ctx, errs, addr, first)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	ctx, stop := context.WithCancel(ctx)
	attended := make(chan struct{})
	go func() {
		defer close(attended)
		d.attend(ctx)
	}()
	defer func() { stop(); <-attended }()
	return during(ctx, d)
}

func showDemo(ctx context.Context, out, errs io.Writer, addr string) error {
	return runDemo(ctx, out, errs, addr, scenarioOf(demoEveryday), func(ctx context.Context, d *demo) error {
		fmt.Fprintf(out, `
Open    %s
Send    /rollback shop because checkout answers 503    (it stands under the message box: one click, then Enter)
Then    become Lena, the engineering lead, at the top of the page, and press "Roll back, leave the migration in place".
        Back as Ana, open the thread when it asks for the error rate, and press "Back at its baseline".

The panel "Scenarios" says the same, and has seven more scenarios.
The shop itself: %s answers 503 now, and 200 once v1 is back.
Ctrl-C ends the demo and leaves nothing behind.
`, d.slack.PageURL(), d.world.host.HealthURL)
		<-ctx.Done()
		return nil
	})
}
