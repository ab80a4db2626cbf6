package bot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// homeCallback is the Home tab's callback_id.
const homeCallback = "rollback_home"

// actionHomePlan is the button that opens the form for an app; its value is the app's name.
const actionHomePlan = "home_plan"

// Limits of a Home tab: https://docs.slack.dev/reference/views/home-tab-views has its blocks,
// https://docs.slack.dev/reference/methods/views.publish its size, 250 kB of JSON; some of that is left for what is around
// the blocks, and for what Slack adds to them.
const (
	maxHomeBlocks = 100
	maxHomeBytes  = 200_000
	// roomHomeApp is how many characters of rich text one app has.
	roomHomeApp = 5000
	// What an app's part lists before it counts the rest, and the characters that its quarantines have.
	maxHomeReleases     = 5
	maxHomeQuarantines  = runbook.StandingTickets
	maxHomeImages       = 3
	roomHomeQuarantines = 1800
)

// homeContent is what a person's Home tab shows.
type homeContent struct {
	at        time.Time // as of when
	closed    string    // why this person is shown nothing, without a full stop; empty: they are
	listening Listening
	apps      []homeApp
}

// homeApp is one app in it.
type homeApp struct {
	name     string
	standing runbook.Standing
	trouble  string // why nothing is known of it
	sight    Sight
	unseen   bool              // what the hosts run was not seen since a rollback began to change it, or may have
	links    map[string]string // to the message of each of posts
}

// posts are the messages that an app's part leads to, by their rollbacks: the request of the open one, the records of others.
func (a homeApp) posts() map[string]runbook.Post {
	posts := map[string]runbook.Post{}
	add := func(rollback string, post runbook.Post) {
		if post.TS != "" {
			posts[rollback] = post
		}
	}
	for _, q := range a.standing.Quarantines {
		add(q.Rollback, q.Record)
	}
	if last := a.standing.Last; last != nil {
		add(last.ID, last.Posts[string(runbook.NoticeRecord)])
	}
	if open := a.standing.Open; open != nil {
		add(open.ID, open.Posts[string(runbook.NoticeRequest)])
	}
	return posts
}

// isUnseen reports whether what is known of the hosts is older than the last rollback that touched them: only the
// rollback looks at them while it is open, and after it the first look takes a while.
func (a homeApp) isUnseen() bool {
	open, last, running := a.standing.Open, a.standing.Last, a.standing.Running
	switch {
	case open != nil:
		return true
	case last == nil || !last.Touched() || a.sight.At.After(last.EndedAt):
		return false
	}
	return running == nil || !running.UpAt.After(last.EndedAt)
}

// mark tells contents apart by what they say, and not by when: ages and the time of the last look are no news.
func (c homeContent) mark() string {
	c.at, c.listening.Heard = time.Time{}, time.Time{}
	c.listening.Socket.Event, c.listening.Socket.EventAt = "", time.Time{}
	c.apps = slices.Clone(c.apps)
	for i := range c.apps {
		c.apps[i].sight.At = time.Time{}
	}
	content, _ := json.Marshal(homeView(c).Blocks) // blocks always encode
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// homeView is the tab. Apps that want attention come first. What doesn't fit is counted.
func homeView(c homeContent) slack.HomeTabViewRequest {
	d := newDraft()
	switch {
	case c.closed != "":
		d.say(words("Nothing is shown here: " + c.closed + "."))
	case len(c.apps) == 0:
		sayListening(d, c)
		d.say(words("No app is configured."))
	default:
		sayListening(d, c)
		sayApps(d, c)
	}
	identify(d.blocks)
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, CallbackID: homeCallback, Blocks: slack.Blocks{BlockSet: d.blocks}}
}

// sayListening says whether what a person types would be heard, and as of when all of this is.
func sayListening(d *draft, c homeContent) {
	l := c.listening
	switch {
	case l.Socket.Fatal():
		d.say(bold("The bot can't hear Slack for long, or not at all: "), words(closed(runbook.Truncate(l.Socket.Problem+": "+l.Socket.Remedy, maxSentence))))
	case !l.Socket.Connected:
		d.say(bold("The bot doesn't hear Slack just now"), words(closed(orElse(prefixed(": ", runbook.Truncate(l.Socket.Problem, maxSentence)), "; it goes on trying"))))
	default:
		text := ": " + count(l.Socket.Sockets, "connection") + " to Slack, since " + instant(l.Socket.Since)
		if !l.Heard.IsZero() {
			text += ", last heard something at " + instant(l.Heard)
		}
		d.say(bold("The bot is listening"), words(text+"."))
	}
	d.note("As of " + instant(c.at) + " · follows what changes for an hour after you open it · version " + runbook.Truncate(orElse(l.Version, "not known"), 100))
}

func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// sayApps adds the apps' parts, as many as fit.
func sayApps(d *draft, c homeContent) {
	apps := slices.Clone(c.apps)
	slices.SortStableFunc(apps, func(a, b homeApp) int { return a.urgency() - b.urgency() })
	size := 0
	for i, app := range apps {
		part := &draft{room: roomHomeApp}
		rule(part)
		sayApp(part, app, c.at)
		content, _ := json.Marshal(part.blocks) // blocks always encode
		size += len(content)
		if len(d.blocks)+len(part.blocks)+2 > maxHomeBlocks || size > maxHomeBytes {
			rule(d)
			d.room = maxSection
			d.say(bold("… and "+count(len(apps)-i, "app")+" more: "), words(some(namesOf(apps[i:]), 20)+". "), code(slash+" status"), words(" tells of all."))
			return
		}
		d.blocks = append(d.blocks, part.blocks...)
	}
}

func namesOf(apps []homeApp) []string {
	names := make([]string, len(apps))
	for i, app := range apps {
		names[i] = shownName(app.name)
	}
	return names
}

// urgency orders apps: those with a rollback open come first, then those where something is wrong.
func (a homeApp) urgency() int {
	r := a.standing.Running
	switch {
	case a.standing.Open != nil:
		return 0
	case a.trouble != "" || a.unseen || r == nil || !r.FailingSince.IsZero() || a.sight.Late:
		return 1
	}
	return 2
}
