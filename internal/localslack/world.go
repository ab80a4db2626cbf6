package localslack

import (
	"fmt"
	"slices"
	"time"
)

// world is everything the workspace holds. It does no locking: [Server.mu] guards it.
type world struct {
	ws       Workspace
	appID    string
	botID    string
	users    []*User
	channels []*conversation
	groups   []*UserGroup
	privates []*Message // oldest first
	views    map[string]*view
	stacks   map[string][]string // user ID -> IDs of the open modals, the top one last
	homes    map[string]*view
	files    map[string]*storedFile
	lastTS   int64
	serial   int
}

// conversation is a channel, or a direct conversation of the bot with one person.
type conversation struct {
	Channel
	With     string // the person, for direct conversations
	Created  time.Time
	messages []*Message // replies included, oldest first
}

func newWorld(ws Workspace, now time.Time) *world {
	w := &world{
		ws: ws, appID: "A0LOCAL", botID: "B0LOCAL",
		views: map[string]*view{}, stacks: map[string][]string{}, homes: map[string]*view{}, files: map[string]*storedFile{},
	}
	for _, u := range ws.Users {
		w.setUser(u)
	}
	for _, c := range ws.Channels {
		w.setChannel(c, now)
	}
	for _, g := range ws.Groups {
		w.setGroup(g)
	}
	return w
}

func (w *world) setUser(u User) {
	u.RealName = orDefault(u.RealName, u.Name)
	u.TeamID = orDefault(u.TeamID, w.ws.TeamID)
	if old := w.user(u.ID); old != nil {
		*old = u
		return
	}
	w.users = append(w.users, &u)
}

func (w *world) setChannel(c Channel, now time.Time) {
	c.Members = slices.Clone(c.Members)
	if old := w.channel(c.ID); old != nil {
		old.Channel = c
		return
	}
	w.channels = append(w.channels, &conversation{Channel: c, Created: now})
}

func (w *world) setGroup(g UserGroup) {
	g.Members = slices.Clone(g.Members)
	if old := w.group(g.ID); old != nil {
		*old = g
		return
	}
	w.groups = append(w.groups, &g)
}

// user finds a user; nil if there is none.
func (w *world) user(id string) *User {
	return find(w.users, func(u *User) bool { return u.ID == id })
}

// channel finds a conversation; nil if there is none.
func (w *world) channel(id string) *conversation {
	return find(w.channels, func(c *conversation) bool { return c.ID == id })
}

// group finds a user group; nil if there is none.
func (w *world) group(id string) *UserGroup {
	return find(w.groups, func(g *UserGroup) bool { return g.ID == id })
}

// direct finds or opens the bot's direct conversation with a person.
func (w *world) direct(user string, now time.Time) (c *conversation, opened bool) {
	if c := find(w.channels, func(c *conversation) bool { return c.With == user }); c != nil {
		return c, false
	}
	c = &conversation{
		Channel: Channel{ID: w.newID("D"), Name: "directmessage", Private: true, Members: []string{user, w.ws.BotUser}},
		With:    user, Created: now,
	}
	w.channels = append(w.channels, c)
	return c, true
}

// newID makes an ID in Slack's form: a letter for the kind, then capitals and digits.
func (w *world) newID(kind string) string {
	w.serial++
	return fmt.Sprintf("%s0LOCAL%04d", kind, w.serial)
}

// newTS makes the timestamp of a new message, later than all others even if the clock stands still.
func (w *world) newTS(now time.Time) string {
	w.lastTS = max(w.lastTS+1, now.UnixMicro())
	return fmt.Sprintf("%d.%06d", w.lastTS/1e6, w.lastTS%1e6)
}

// canSee reports whether a person can open the channel: members always, others when it is public
// and they are neither guests nor of another organisation.
func (w *world) canSee(c *conversation, user string) bool {
	if slices.Contains(c.Members, user) {
		return true
	}
	u := w.user(user)
	return u != nil && !c.Private && !u.Guest && !u.SingleChannelGuest && !u.Stranger
}

// isMember reports whether user is in the channel.
func (c *conversation) isMember(user string) bool { return slices.Contains(c.Members, user) }

// message finds a message by its timestamp, replies included; nil if there is none.
func (c *conversation) message(ts string) *Message {
	return find(c.messages, func(m *Message) bool { return m.TS == ts })
}

// replies are the messages of a thread without its first, oldest first.
func (c *conversation) replies(ts string) []*Message {
	var out []*Message
	for _, m := range c.messages {
		if m.ThreadTS == ts && m.TS != ts {
			out = append(out, m)
		}
	}
	return out
}

// remove takes a message out. One with replies leaves a tombstone, so that its thread keeps its place.
func (c *conversation) remove(m *Message) {
	if len(c.replies(m.TS)) > 0 {
		*m = Message{TS: m.TS, Channel: m.Channel, User: "USLACKBOT", Subtype: "tombstone", Text: "This message was deleted."}
		return
	}
	c.messages = slices.DeleteFunc(c.messages, func(x *Message) bool { return x == m })
}

// private finds a private message that user sees; nil if there is none.
func (w *world) private(user, ts string) *Message {
	return find(w.privates, func(m *Message) bool { return m.For == user && m.TS == ts })
}

// find returns the first element that satisfies ok, or nil.
func find[T any](list []*T, ok func(*T) bool) *T {
	if i := slices.IndexFunc(list, ok); i >= 0 {
		return list[i]
	}
	return nil
}
