package localslack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Why a person couldn't do something. Slack wouldn't have let them either.
var (
	ErrNoUser    = errors.New("no such user")
	ErrNoChannel = errors.New("no such channel, or this person can't see it")
	ErrNoMessage = errors.New("no such message, or this person can't see it")
	ErrNoElement = errors.New("the message or view has no such button or field")
	ErrNoView    = errors.New("this person has no such view in front of them")
	ErrNoCommand = errors.New("no app has this command")
)

// Ack is what came of a person's action.
type Ack struct {
	Envelope string          // ID of the envelope
	Payload  json.RawMessage // what the app put into the acknowledgement; nil for nothing
	Took     time.Duration
	// Shown are the messages that the acknowledgement itself made appear. What the app posts otherwise is not
	// among them.
	Shown []Message
	// Notice is what Slack itself tells the person if something went wrong, "" if nothing did.
	Notice string
	// Errors are what the app found wrong with a form, by block_id.
	Errors map[string]string
}

// Command types a slash command into a channel: "/rollback shop because @Ana says so". The text becomes what Slack
// makes of it: &, < and > escaped, and names after @ and # as references such as <@U1|ana>; references that are there
// already are kept. It waits for the acknowledgement; without one the error is [ErrNotAcked] and the person has
// been told.
func (s *Server) Command(ctx context.Context, user, channel, text string) (Ack, error) {
	command, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	s.mu.Lock()
	rest = s.world.typed(strings.TrimSpace(rest), true)
	s.mu.Unlock()
	return s.CommandText(ctx, user, channel, command, rest)
}

// CommandText sends a slash command whose text reaches the app exactly as given.
func (s *Server) CommandText(ctx context.Context, user, channel, command, text string) (Ack, error) {
	e, shown, err := s.prepareCommand(user, channel, command, text)
	if err != nil {
		return Ack{Shown: shown, Notice: noticeOf(shown)}, err
	}
	ack, err := s.deliver(ctx, e)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.touchLocked()
	if errors.Is(err, ErrNotAcked) {
		ack.Notice = command + ` failed with the error "dispatch_failed"`
		ack.Shown = []Message{*s.tell(user, channel, ack.Notice)}
	}
	if err != nil {
		return ack, err
	}
	if err := s.showAnswer(&ack, user, channel); err != nil {
		ack.Notice = command + ` failed with the error "invalid_command_response"`
		ack.Shown = []Message{*s.tell(user, channel, ack.Notice)}
	}
	return ack, nil
}

func (s *Server) prepareCommand(user, channel, command, text string) (Envelope, []Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, c, err := s.who(user, channel)
	if err != nil {
		return Envelope{}, nil, err
	}
	if !slices.Contains(s.world.ws.Commands, command) {
		defer s.touchLocked()
		m := s.tell(user, channel, command+" is not a valid command. In Slack, all messages that start with the \"/\" character are interpreted as commands.")
		return Envelope{}, []Message{*m}, fmt.Errorf("%w: %s", ErrNoCommand, command)
	}
	return s.newEnvelope("slash_commands", s.commandPayload(u, c, command, text), true), nil, nil
}

// showAnswer shows what the acknowledgement of a command says, if it says anything.
func (s *Server) showAnswer(ack *Ack, user, channel string) error {
	if string(ack.Payload) == "null" {
		ack.Payload = nil
	}
	if len(ack.Payload) == 0 || string(ack.Payload) == "{}" {
		return nil
	}
	a := args{}
	if json.Unmarshal(ack.Payload, &a) != nil {
		a = args{"text": ack.Payload} // a bare string is a text
	}
	content, err := s.content(a)
	if err != nil {
		return err
	}
	everyone := a.str("response_type") == "in_channel"
	ack.Shown = []Message{*s.answerTo(user, channel, "", everyone, content)}
	return nil
}

// who finds a person and a conversation that they can see.
func (s *Server) who(user, channel string) (*User, *conversation, error) {
	u := s.world.user(user)
	if u == nil {
		return nil, nil, fmt.Errorf("%w: %q", ErrNoUser, user)
	}
	c := s.world.channel(channel)
	if c == nil || !s.world.canSee(c, user) {
		return nil, nil, fmt.Errorf("%w: %q", ErrNoChannel, channel)
	}
	return u, c, nil
}

// tell makes Slack itself tell a person something in a channel.
func (s *Server) tell(user, channel, text string) *Message {
	m := &Message{
		TS: s.world.newTS(s.opts.now()), Channel: channel, User: "USLACKBOT", Text: text, For: user,
	}
	s.world.privates = append(s.world.privates, m)
	return m
}

func noticeOf(shown []Message) string {
	if len(shown) == 0 {
		return ""
	}
	return shown[0].Text
}
