package localslack

import (
	"encoding/json"
	"slices"
	"strings"
)

// pageModel is everything that the page shows to one person.
type pageModel struct {
	You         string                `json:"you"`
	Team        string                `json:"team"`
	Bot         string                `json:"bot"`
	Connected   bool                  `json:"connected"`
	Banner      string                `json:"banner"`
	Suggestions []string              `json:"suggestions"`
	Commands    []string              `json:"commands"`
	People      []pagePerson          `json:"people"`
	Users       map[string]pageUser   `json:"users"`
	Groups      map[string]string     `json:"groups"`
	Channels    []pageChannel         `json:"channels"`
	Messages    map[string][]pageText `json:"messages"`
	Views       []pageView            `json:"views"`
	Home        *pageView             `json:"home"`
	Panel       *pagePanel            `json:"panel"`
}

type pagePerson struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

type pageUser struct {
	Name string `json:"name"`
	Real string `json:"real"`
	Bot  bool   `json:"bot,omitempty"`
	Gone bool   `json:"gone,omitempty"`
}

type pageChannel struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Private  bool   `json:"private,omitempty"`
	Shared   bool   `json:"shared,omitempty"`
	Archived bool   `json:"archived,omitempty"`
	Direct   bool   `json:"direct,omitempty"`
	Members  int    `json:"members"`
}

type pageText struct {
	TS          string                    `json:"ts"`
	Thread      string                    `json:"thread,omitempty"`
	Both        bool                      `json:"both,omitempty"` // a reply that was also sent to the channel
	User        string                    `json:"user"`
	Text        string                    `json:"text"`
	Blocks      json.RawMessage           `json:"blocks,omitempty"`
	Attachments json.RawMessage           `json:"attachments,omitempty"`
	Files       []pageFile                `json:"files,omitempty"`
	Edited      bool                      `json:"edited,omitempty"`
	Private     bool                      `json:"private,omitempty"`
	Gone        bool                      `json:"gone,omitempty"`
	State       map[string]map[string]any `json:"state,omitempty"`
}

type pageFile struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	MIME  string `json:"mime"`
	Size  int    `json:"size"`
	Text  string `json:"text,omitempty"` // the beginning of a text file
}

type pageView struct {
	ID       string                    `json:"id"`
	Hash     string                    `json:"hash"`
	Callback string                    `json:"callback"`
	Title    string                    `json:"title"`
	Submit   string                    `json:"submit"`
	Close    string                    `json:"close"`
	Blocks   json.RawMessage           `json:"blocks"`
	Errors   map[string]string         `json:"errors"`
	State    map[string]map[string]any `json:"state"`
}

// model is what user sees now. For somebody who isn't there, as in a link from another workspace, it is what the first
// of the people sees.
func (s *Server) model(user string) pageModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world
	people := s.people()
	if w.user(user) == nil && len(people) > 0 {
		user = people[0].ID
	}
	m := pageModel{
		You: user, Team: w.ws.TeamName, Bot: w.ws.BotUser, Connected: s.openSockets() > 0,
		Banner: s.opts.banner, Suggestions: orEmpty(s.opts.suggestions), Commands: w.ws.Commands,
		People: people, Users: map[string]pageUser{"USLACKBOT": {Name: "slackbot", Real: "Slackbot", Bot: true}},
		Groups: map[string]string{}, Messages: map[string][]pageText{}, Panel: s.panelModel(),
	}
	for _, u := range w.users {
		m.Users[u.ID] = pageUser{Name: u.Name, Real: u.RealName, Bot: u.Bot, Gone: u.Deleted}
	}
	for _, g := range w.groups {
		m.Groups[g.ID] = g.Handle
	}
	for _, c := range w.channels {
		if w.canSee(c, user) {
			m.addChannel(w, c, user)
		}
	}
	for _, id := range w.stacks[user] {
		m.Views = append(m.Views, pageViewOf(w.views[id]))
	}
	if home := w.homes[user]; home != nil {
		m.Home = new(pageViewOf(home))
	}
	return m
}

// people are the choices of the switch.
func (s *Server) people() []pagePerson {
	out := []pagePerson{}
	for _, p := range s.opts.people {
		if u := s.world.user(p.User); u != nil {
			out = append(out, pagePerson{ID: u.ID, Name: u.RealName, Role: p.Role})
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, u := range s.world.users {
		if !u.Bot && !u.Deleted {
			out = append(out, pagePerson{ID: u.ID, Name: u.RealName})
		}
	}
	return out
}

// addChannel adds a conversation and what this person sees in it.
func (m *pageModel) addChannel(w *world, c *conversation, user string) {
	m.Channels = append(m.Channels, pageChannel{
		ID: c.ID, Name: c.Name, Private: c.Private, Shared: c.Shared, Archived: c.Archived, Direct: c.With != "", Members: len(c.Members),
	})
	list := []pageText{}
	for _, msg := range c.messages {
		list = append(list, pageTextOf(msg))
	}
	for _, msg := range w.privates {
		if msg.For == user && msg.Channel == c.ID {
			list = append(list, pageTextOf(msg))
		}
	}
	slices.SortStableFunc(list, func(a, b pageText) int { return strings.Compare(a.TS, b.TS) })
	m.Messages[c.ID] = list
}

func pageTextOf(m *Message) pageText {
	t := pageText{
		TS: m.TS, Thread: m.ThreadTS, Both: m.Subtype == "thread_broadcast", User: m.User, Text: m.Text,
		Blocks: m.Blocks, Attachments: m.Attachments, Edited: m.Edited, Private: m.For != "", Gone: m.Subtype == "tombstone",
	}
	if m.Blocks != nil {
		t.State = stateOf(decodeBlocks(m.Blocks), m.interactions)
	}
	for _, f := range m.Files {
		t.Files = append(t.Files, pageFileOf(f))
	}
	return t
}

// previewRunes is how much of a text file the page shows at once.
const previewRunes = 2000

func pageFileOf(f File) pageFile {
	out := pageFile{ID: f.ID, Title: f.Title, MIME: f.MIME, Size: len(f.Content)}
	if strings.HasPrefix(f.MIME, "text/") {
		out.Text = cutRunes(string(f.Content), previewRunes)
	}
	return out
}

func pageViewOf(v *view) pageView {
	return pageView{
		ID: v.ID, Hash: v.Hash, Callback: v.CallbackID, Title: v.Title, Submit: v.Submit, Close: v.Close,
		Blocks: v.Blocks, Errors: v.Errors, State: v.state(),
	}
}
