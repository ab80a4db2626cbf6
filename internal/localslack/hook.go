package localslack

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// What a response_url is good for: https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
const (
	hookUses = 5
	hookLife = 30 * time.Minute
)

// responseHook is one response_url.
type responseHook struct {
	user, channel string
	original      string // timestamp of the message whose button was clicked, "" for commands
	private       bool   // that message is a private one
	left          int
	given         time.Time
}

// newHook makes the response_url of a person's action.
func (s *Server) newHook(h responseHook) string {
	secret := randomHex(16)
	h.left, h.given = hookUses, s.opts.now()
	s.hooks[secret] = &h
	return s.URL() + "/hook/" + secret
}

// serveHook takes a post to a response_url. The URL is the permission.
func (s *Server) serveHook(w http.ResponseWriter, r *http.Request) {
	a, err := readArgs(w, r)
	if payload := a.json("payload"); err == nil && payload != nil {
		err = a.readJSON(io.LimitReader(bytes.NewReader(payload), maxBody))
	}
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	call, index := s.record("response_url", a)
	f := s.faultFor(call)
	if f != nil {
		if over, status, code := s.spoil(f, w, r); over {
			s.recordEnd(index, status, code)
			return
		}
	}
	s.mu.Lock()
	err = s.useHook(r.PathValue("secret"), a)
	s.mu.Unlock()
	if f != nil && f.LoseAnswer {
		resetConnection(w)
		s.recordEnd(index, 0, codeOf(err))
		return
	}
	status := http.StatusOK
	switch codeOf(err) {
	case "":
		_, _ = io.WriteString(w, "ok")
	case "used_url", "expired_url":
		status = http.StatusNotFound
	default:
		status = http.StatusBadRequest
	}
	if err != nil {
		body, _ := reply(nil, err)
		writeJSON(w, status, body)
	}
	s.recordEnd(index, status, codeOf(err))
}

// useHook carries one post out.
func (s *Server) useHook(secret string, a args) error {
	h := s.hooks[secret]
	switch {
	case h == nil || h.left == 0:
		return fail("used_url")
	case s.opts.now().Sub(h.given) > hookLife:
		return fail("expired_url")
	}
	if a.flag("delete_original") {
		h.left--
		s.deleteOriginal(h)
		s.touchLocked()
		return nil
	}
	content, err := s.content(a)
	if err != nil {
		return err
	}
	h.left--
	if !a.flag("replace_original") || !s.replaceOriginal(h, content) {
		s.answerTo(h.user, h.channel, a.str("thread_ts"), a.str("response_type") == "in_channel", content)
	}
	s.touchLocked()
	return nil
}

// deleteOriginal takes away the message that the click was on.
func (s *Server) deleteOriginal(h *responseHook) {
	if h.private {
		s.world.privates = filter(s.world.privates, func(m *Message) bool { return m.For != h.user || m.TS != h.original })
		return
	}
	if c := s.world.channel(h.channel); c != nil {
		if m := c.message(h.original); m != nil {
			c.remove(m)
		}
	}
}

// replaceOriginal puts new content into the message that the click was on; false if there is none.
func (s *Server) replaceOriginal(h *responseHook, c content) bool {
	var m *Message
	if h.private {
		m = s.world.private(h.user, h.original)
	} else if channel := s.world.channel(h.channel); channel != nil && h.original != "" {
		m = channel.message(h.original)
	}
	if m == nil {
		return false
	}
	m.revise(s.opts.now())
	m.Text, m.Blocks, m.Attachments, m.interactions = c.text, c.blocks, c.attachments, nil
	return true
}

// answerTo shows an answer of the app to a person alone or to their channel; the app needn't be a member there.
func (s *Server) answerTo(user, channel, thread string, everyone bool, content content) *Message {
	m := s.newBotMessage(channel, content)
	m.ThreadTS = thread
	c := s.world.channel(channel)
	if everyone && c != nil {
		if thread != "" && c.message(thread) == nil {
			m.ThreadTS = ""
		}
		c.messages = append(c.messages, m)
		return m
	}
	m.For, m.Metadata = user, nil
	s.world.privates = append(s.world.privates, m)
	return m
}

// codeOf is the code of one of Slack's errors; "" for none.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
