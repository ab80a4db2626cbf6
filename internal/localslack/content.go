package localslack

import (
	"bytes"
	"encoding/json"
)

// content is what a message says, checked.
type content struct {
	text        string
	blocks      json.RawMessage
	attachments json.RawMessage
	metadata    *Metadata
}

// content reads and checks what a call wants to say.
func (s *Server) content(a args) (content, error) {
	var out content
	var err error
	if out.blocks, err = s.checkedBlocks(a.json("blocks"), surfaceMessage, "invalid_blocks"); err != nil {
		return content{}, err
	}
	if out.attachments, err = s.checkedAttachments(a.json("attachments")); err != nil {
		return content{}, err
	}
	if out.metadata, err = readMetadata(a.json("metadata")); err != nil {
		return content{}, err
	}
	out.text = cutRunes(a.str("text"), maxPostRunes)
	if out.text == "" && out.blocks == nil && out.attachments == nil {
		return content{}, fail("no_text")
	}
	return out, nil
}

// readMetadata reads a message's metadata; nil for none or an empty object.
func readMetadata(raw json.RawMessage) (*Metadata, error) {
	if raw == nil {
		return nil, nil
	}
	var m struct {
		EventType string          `json:"event_type"`
		Payload   json.RawMessage `json:"event_payload"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return nil, fail("invalid_metadata_format")
	}
	payload := bytes.TrimSpace(m.Payload)
	if m.EventType == "" && (len(payload) == 0 || string(payload) == "null") {
		return nil, nil
	}
	if m.EventType == "" || len(payload) == 0 || payload[0] != '{' {
		return nil, fail("invalid_metadata_schema")
	}
	return &Metadata{EventType: m.EventType, Payload: payload}, nil
}

// checkedAttachments checks the blocks inside legacy attachments and takes the rest as it comes. Slack refuses
// more than 100 of them: https://docs.slack.dev/reference/methods/chat.postMessage
func (s *Server) checkedAttachments(raw json.RawMessage) (json.RawMessage, error) {
	if raw == nil {
		return nil, nil
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, fail("invalid_attachments")
	}
	if len(list) > 100 {
		return nil, fail("too_many_attachments")
	}
	if len(list) == 0 {
		return nil, nil
	}
	for _, attachment := range list {
		blocks, err := s.checkedBlocks(attachment["blocks"], surfaceMessage, "invalid_blocks")
		if err != nil {
			return nil, err
		}
		if blocks != nil {
			attachment["blocks"] = blocks
		}
	}
	return encode(list), nil
}

// newBotMessage makes a message of the app that is not in any conversation yet.
func (s *Server) newBotMessage(channel string, c content) *Message {
	w := s.world
	return &Message{
		TS: w.newTS(s.opts.now()), Channel: channel, User: w.ws.BotUser, BotID: w.botID,
		Text: c.text, Blocks: c.blocks, Attachments: c.attachments, Metadata: c.metadata,
	}
}

// cutRunes cuts text to at most n characters.
func cutRunes(text string, n int) string {
	count := 0
	for i := range text {
		if count == n {
			return text[:i]
		}
		count++
	}
	return text
}
