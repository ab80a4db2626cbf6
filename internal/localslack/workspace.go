package localslack

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
)

// Workspace is what a [Server] starts with: one team, one app installed in it, its people.
// Empty fields get working values; see each.
type Workspace struct {
	TeamID   string // default "T0LOCAL"
	TeamName string // default "Local"
	// BotToken and AppToken are the app's tokens; by default random ones that start with xoxb- and
	// xapp-, to be had from [Server.Workspace].
	BotToken, AppToken string
	// BotUser is the ID of the app's bot user (default "U0BOT"). It is added to Users if it isn't
	// there, and is in those channels that name it among their members.
	BotUser  string
	Users    []User
	Channels []Channel
	Groups   []UserGroup
	// Scopes are the bot token's OAuth scopes; nil means [DefaultScopes].
	Scopes []string
	// Commands are the app's slash commands, with their slash; nil means "/rollback".
	Commands []string
	// Events are the Events API types that the app subscribed to; nil means app_home_opened.
	// Known are app_home_opened, app_mention, message.channels, message.groups and message.im.
	Events []string
}

// DefaultScopes are the scopes of a bot token when [Workspace.Scopes] is nil.
var DefaultScopes = []string{
	"commands", "chat:write", "files:write", "users:read", "usergroups:read",
	"channels:read", "groups:read", "channels:history", "groups:history", "im:write", "im:history",
}

// User is a person or a bot of the workspace.
type User struct {
	ID       string
	Name     string // the handle after @
	RealName string // default Name
	TeamID   string // default the workspace's
	// Guest is a multi-channel guest (Slack's is_restricted), SingleChannelGuest one of a single
	// channel (is_ultra_restricted, which implies is_restricted).
	Guest, SingleChannelGuest bool
	Bot, Deleted              bool
	Stranger                  bool // of another organisation, met through a shared channel
}

// Channel is a public or private channel.
type Channel struct {
	ID, Name string
	Private  bool
	Shared   bool // with another organisation (Slack Connect)
	Archived bool
	Members  []string // user IDs; the bot is a member only if its user is named
}

// UserGroup is a group of people with a handle, such as @leads.
type UserGroup struct {
	ID, Handle string
	Members    []string
	Disabled   bool
}

// withDefaults fills the empty fields of w.
func (w Workspace) withDefaults() Workspace {
	w.TeamID = orDefault(w.TeamID, "T0LOCAL")
	w.TeamName = orDefault(w.TeamName, "Local")
	w.BotUser = orDefault(w.BotUser, "U0BOT")
	if w.BotToken == "" {
		w.BotToken = "xoxb-local-" + randomHex(12)
	}
	if w.AppToken == "" {
		w.AppToken = "xapp-1-local-" + randomHex(12)
	}
	if w.Scopes == nil {
		w.Scopes = slices.Clone(DefaultScopes)
	}
	if w.Commands == nil {
		w.Commands = []string{"/rollback"}
	}
	if w.Events == nil {
		w.Events = []string{"app_home_opened"}
	}
	if !slices.ContainsFunc(w.Users, func(u User) bool { return u.ID == w.BotUser }) {
		w.Users = append(slices.Clone(w.Users), User{ID: w.BotUser, Name: "rollbackbot", Bot: true})
	}
	return w
}

// domain is the workspace's name as it would stand in a URL.
func (w Workspace) domain() string {
	return strings.ToLower(strings.ReplaceAll(w.TeamName, " ", "-"))
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// randomHex returns n random bytes as hex digits. crypto/rand.Read never fails since Go 1.24.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
