package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Home keeps the Home tabs of the people who have opened theirs: each is published when it is opened, and again when what
// it shows has changed. Who looked lately is kept in memory alone, by the process that acts: a tab that nobody publishes
// any more says as of when it is, and is as new as can be once it is opened again.
type Home struct {
	API    *slack.Client
	Apps   []string // the names of all apps, in their order
	Runner Runner
	Door   Door
	Links  Speaker                // for the addresses of messages
	Ears   func() Listening       // whether the bot hears anything
	Sight  func(app string) Sight // when an app's hosts were seen
	Log    zerolog.Logger

	mu      sync.Mutex
	viewers map[string]*viewer
	links   map[string]string // the addresses of messages, as far as they were asked for; they never change
	trouble string            // what could not be read when it was last tried: it is logged when it changes
}

// Door says who may not look: why a person never counts; empty: they do. What can't be read lets nobody pass.
type Door interface {
	Barred(ctx context.Context, person string) (why string, err error)
}

// Listening is whether the bot hears what people say, as the process that acts knows it.
type Listening struct {
	Socket  SocketState
	Heard   time.Time // when it last heard something; zero: not yet
	Version string
}

// Sight is how an app's hosts were last seen.
type Sight struct {
	At   time.Time // when all of them were; zero: not since the process began to act
	Late bool      // that is longer ago than it should be
}

// viewer is a person who has opened their Home tab.
type viewer struct {
	person string
	opened time.Time // when they last did; guarded by the Home's lock

	turn  chan struct{} // holds one while the tab is published: what is newest comes last
	shown string        // the mark of what it shows
	at    time.Time     // as of when
}

func newViewer(person string) *viewer { return &viewer{person: person, turn: make(chan struct{}, 1)} }

// take waits for the turn to publish, which give ends. Slack may keep it for as long as a call may take.
func (v *viewer) take(ctx context.Context) error {
	select {
	case v.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *viewer) give() { <-v.turn }

const (
	// homeMemory is how long a tab that was opened is kept fresh.
	homeMemory = time.Hour
	// homeViewers is how many tabs are kept fresh; those that were opened longest ago are let go.
	homeViewers = 50
	// homeInterval is how often it is looked whether something has changed while somebody looks, and so how long a tab stays
	// as it is at least.
	homeInterval = 5 * time.Second
	// homeSpacing parts the tabs that are brought up to date: each takes a call of views.publish and one of users.info,
	// both of tier 4, 100 a minute: https://docs.slack.dev/apis/web-api/rate-limits. People who open theirs need some too.
	homeSpacing = time.Second
	// homeTimeout bounds reading what a tab shows.
	homeTimeout = 20 * time.Second
)

// open publishes a person's tab, and keeps it fresh for a while if they may look.
func (h *Home) open(ctx context.Context, person string) error {
	closed := ""
	why, err := h.Door.Barred(ctx, person)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		h.Log.Warn().Err(err).Str("actor", person).Msg("it could not be read who opened the Home tab")
		closed = "it could not be read from Slack who you are. Open this tab again"
	case why != "":
		closed = why
	}
	if closed != "" {
		h.forget(person)
		return h.publish(ctx, newViewer(person), homeContent{closed: closed})
	}
	v := h.remember(person, time.Now())
	if err := v.take(ctx); err != nil {
		return err
	}
	defer v.give()
	return h.publish(ctx, v, h.content(ctx))
}

// keep brings tabs up to date until ctx ends.
func (h *Home) keep(ctx context.Context) {
	for sleep(ctx, homeInterval) == nil {
		if err := h.refresh(ctx); err != nil && ctx.Err() == nil {
			h.Log.Warn().Err(err).Msg("a Home tab could not be brought up to date")
			var limited *runbook.RetryError
			if errors.As(err, &limited) && sleep(ctx, limited.After) != nil {
				return
			}
		}
	}
}

// refresh publishes the tabs that show something else than what is known now. An error ends the round: the next one has
// what is newest then.
func (h *Home) refresh(ctx context.Context) error {
	viewers := h.lookers(time.Now())
	if len(viewers) == 0 {
		return nil
	}
	content := h.content(ctx)
	mark := content.mark()
	for _, v := range viewers {
		published, err := h.renew(ctx, v, content, mark)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case lasting(err):
			h.forget(v.person) // and not again before they open it
			return err
		case err != nil:
			return err
		case published && sleep(ctx, homeSpacing) != nil:
			return ctx.Err()
		}
	}
	return nil
}

// renew publishes one person's tab where it shows something else, and closes it to somebody who may not look any more.
func (h *Home) renew(ctx context.Context, v *viewer, content homeContent, mark string) (published bool, err error) {
	if err := v.take(ctx); err != nil {
		return false, err
	}
	defer v.give()
	if v.shown == mark || v.at.After(content.at) {
		return false, nil
	}
	why, err := h.Door.Barred(ctx, v.person)
	if err != nil {
		return false, err
	}
	if why != "" {
		h.forget(v.person)
		content = homeContent{closed: why}
	}
	return true, h.publish(ctx, v, content)
}

// publish is called in the viewer's turn.
func (h *Home) publish(ctx context.Context, v *viewer, content homeContent) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := h.API.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: v.person, View: homeView(content)})
	if err != nil {
		v.shown = "" // whatever it shows now
		return fmt.Errorf("publish the Home tab of %s: %w", v.person, remedied(err))
	}
	v.shown, v.at = content.mark(), content.at
	return nil
}

// content reads what there is to show. What can't be read says so in its place.
func (h *Home) content(ctx context.Context) homeContent {
	ctx, cancel := context.WithTimeout(ctx, homeTimeout)
	defer cancel()
	content := homeContent{at: time.Now().UTC()}
	if h.Ears != nil {
		content.listening = h.Ears()
	}
	linked := true
	var troubles []error
	for _, name := range h.Apps {
		app := homeApp{name: name, links: map[string]string{}}
		if h.Sight != nil {
			app.sight = h.Sight(name)
		}
		var err error
		if app.standing, err = h.Runner.Standing(ctx, name); err != nil {
			troubles = append(troubles, err)
			app.trouble = "How it stands can't be read from the database just now."
		}
		app.unseen = app.isUnseen()
		for rollback, post := range app.posts() {
			if !linked {
				break // a Slack that doesn't tell one address is not asked for the others
			}
			if app.links[rollback], err = h.link(ctx, post); err != nil {
				troubles, linked = append(troubles, err), false
			}
		}
		content.apps = append(content.apps, app)
	}
	h.report(errors.Join(troubles...))
	return content
}

// report logs what could not be read, unless it is what could not be read before: it is tried again every few seconds.
func (h *Home) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	h.mu.Lock()
	known := h.trouble
	h.trouble = text
	h.mu.Unlock()
	if text != "" && text != known {
		h.Log.Warn().Err(err).Msg("not all that the Home tab shows could be read")
	}
}

// link is the address of a message.
func (h *Home) link(ctx context.Context, post runbook.Post) (address string, err error) {
	key := post.Channel + "/" + post.TS
	h.mu.Lock()
	address = h.links[key]
	h.mu.Unlock()
	if address != "" || h.Links == nil {
		return address, nil
	}
	if address, err = h.Links.Permalink(ctx, post); err != nil {
		return "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.links == nil || len(h.links) > 20*homeViewers {
		h.links = map[string]string{}
	}
	h.links[key] = address
	return address, nil
}

// remember notes that a person looks.
func (h *Home) remember(person string, now time.Time) *viewer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.viewers == nil {
		h.viewers = map[string]*viewer{}
	}
	v := h.viewers[person]
	if v == nil {
		v = newViewer(person)
		h.viewers[person] = v
	}
	v.opened = now
	if len(h.viewers) > homeViewers {
		oldest := v
		for _, other := range h.viewers {
			if other.opened.Before(oldest.opened) {
				oldest = other
			}
		}
		delete(h.viewers, oldest.person)
	}
	return v
}

func (h *Home) forget(person string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, person)
}

// lookers are the people who look, who opened theirs last first; those who did so too long ago are let go.
func (h *Home) lookers(now time.Time) []*viewer {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*viewer
	for person, v := range h.viewers {
		if now.Sub(v.opened) > homeMemory {
			delete(h.viewers, person)
			continue
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b *viewer) int { return b.opened.Compare(a.opened) })
	return all
}
