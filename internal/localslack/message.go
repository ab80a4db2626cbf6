package localslack

import (
	"encoding/json"
	"time"
)

// Message is one message, as the people who can see it see it.
type Message struct {
	TS       string // its ID within the channel, seconds and microseconds: "1700000000.000100"
	ThreadTS string // TS of the thread's first message for replies, "" for top-level messages
	Channel  string
	User     string // who wrote it; the bot's user for the app's messages
	BotID    string // set for messages of the app
	Subtype  string // Slack's subtype: "", "bot_message", "thread_broadcast", "tombstone"
	Text     string
	// Blocks is the JSON array as Slack keeps it (block_id and action_id filled in); nil for none.
	Blocks      json.RawMessage
	Attachments json.RawMessage // legacy attachments, likewise
	Metadata    *Metadata       // nil for none
	Files       []File
	Edited      bool
	EditedAt    time.Time  // zero unless Edited
	Revisions   []Revision // what it said before each edit, oldest first

	// For is who can see a private message; "" for all others.
	For string

	interactions map[string]map[string]any // chosen values of its selects and checkboxes, by block and action
}

// Metadata is what an app attached to a message of its own for later.
type Metadata struct {
	EventType string          `json:"event_type"`
	Payload   json.RawMessage `json:"event_payload"`
}

// Revision is what a message said until it was edited.
type Revision struct {
	Text     string
	Blocks   json.RawMessage
	Metadata *Metadata
	Until    time.Time
}

// File is an uploaded file.
type File struct {
	ID, Name, Title, MIME string
	Content               []byte
}

// topLevel reports whether m shows in the channel itself: no reply, or one that was also sent there.
func (m *Message) topLevel() bool { return m.ThreadTS == "" || m.Subtype == "thread_broadcast" }

// revise keeps what m says now before an edit at the given time.
func (m *Message) revise(now time.Time) {
	m.Revisions = append(m.Revisions, Revision{Text: m.Text, Blocks: m.Blocks, Metadata: m.Metadata, Until: now})
	m.Edited, m.EditedAt = true, now
}
