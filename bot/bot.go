package bot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Bot is what listens, put together: from the socket to the inbox. Every process of the bot listens; what came of that
// is worked off by the Desk of the one that acts.
//
// Fields are set before Run and not changed after.
type Bot struct {
	API       *slack.Client
	Inbox     runbook.Inbox
	Directory *Directory // its Team is set by Run, from what Slack says
	Speaker   Speaker
	Channel   Channel
	Form      *Form
	Socket    *Socket // its Handle is set by Run; its State says at any time whether the bot hears
	Log       zerolog.Logger
	// Doctor looks at all that a rollback would need, for `/rollback doctor`; it changes nothing and is bounded.
	Doctor func(context.Context) []runbook.Finding
	// What only the process knows and the Home tab shows: its version, when it last stored something that somebody said
	// (zero: not yet), and when an app's hosts were seen. The functions may be nil: that is then not shown.
	Version string
	Heard   func() time.Time
	Sight   func(app string) Sight
	// Others says which kinds of deliveries another door deals with; nil: none.
	Others func(kind string) bool
	// Stored is told that the inbox has something new.
	Stored func()
	// UnderWay says that a rollback is under way: then the bot goes on trying where it would otherwise give up.
	UnderWay func() bool
	// Listening is told when the bot is ready to hear; may be nil.
	Listening func()

	once  sync.Once
	known chan struct{}
}

func (b *Bot) init() { b.once.Do(func() { b.known = make(chan struct{}) }) }

// Known is closed once Slack has said who the bot is: before that nobody's rights can be read.
func (b *Bot) Known() <-chan struct{} {
	b.init()
	return b.known
}

// Run listens until ctx ends, and returns nil then. An error is one that only a person can mend, found before anything
// was listened to: a token, a scope, the channel; it names the remedy. While a rollback is under way nothing ends it,
// for whoever carries that rollback lives in this process.
func (b *Bot) Run(ctx context.Context) error {
	b.init()
	who, err := b.begin(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	b.Directory.Team = who.Team
	close(b.known)
	handler := &Handler{Team: who.Team, Inbox: b.Inbox, Form: b.Form, Directory: b.Directory, Private: b.Speaker, Stored: b.Stored, Log: component(b.Log, "handler")}
	b.Socket.Handle = handler.Handle
	if b.Listening != nil {
		b.Listening()
	}
	b.Socket.Run(ctx)
	return nil
}

// Desk is the desk at which a runner's rollbacks are asked for and answered. It is to be run once Known is closed.
func (b *Bot) Desk(runner Runner) *Desk {
	return &Desk{
		Runner: runner, Inbox: b.Inbox, Directory: b.Directory, Form: b.Form, Speaker: b.Speaker, Channel: b.Channel,
		Doctor: b.Doctor, Home: b.home(runner), Others: b.Others, Log: component(b.Log, "desk"),
	}
}

// home are the Home tabs with a runner's rollbacks.
func (b *Bot) home(runner Runner) *Home {
	return &Home{
		API: b.API, Apps: b.Form.Apps, Runner: runner, Door: b.Directory, Links: b.Speaker, Ears: b.listening, Sight: b.Sight, Log: component(b.Log, "home"),
	}
}

func (b *Bot) listening() Listening {
	l := Listening{Socket: b.Socket.State(), Version: b.Version}
	if b.Heard != nil {
		l.Heard = b.Heard()
	}
	return l
}

func component(log zerolog.Logger, name string) zerolog.Logger {
	return log.With().Str("component", name).Logger()
}

// begin finds out who the bot is and proves that it can do its work, and tries again for as long as Slack doesn't answer.
func (b *Bot) begin(ctx context.Context) (Identity, error) {
	for wait := firstReconnect; ; wait = min(2*wait, lastReconnect) {
		who, err := b.prove(ctx)
		if err == nil {
			return who, nil
		}
		if ctx.Err() != nil {
			return Identity{}, nil
		}
		if lasting(err) && !b.UnderWay() {
			return Identity{}, err
		}
		b.Log.Error().Err(err).Dur("again_in", wait).Msg("the bot can't listen; trying again")
		if sleep(ctx, wait) != nil {
			return Identity{}, nil
		}
	}
}

// prove reads all that the bot has to be able to read: itself, the team channel, and that channel's history, without
// which nobody would know whether a message arrived whose answer was lost.
func (b *Bot) prove(ctx context.Context) (Identity, error) {
	who, err := Identify(ctx, b.API)
	if err != nil {
		return Identity{}, err
	}
	if err := b.Channel.Check(ctx); err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = b.API.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: b.Channel.ID, Limit: 1, IncludeAllMetadata: true, Latest: fmt.Sprintf("%d.000000", time.Now().Unix()),
	})
	if err != nil {
		return Identity{}, fmt.Errorf("read the history of the team channel %s: %w", b.Channel.ID, remedied(err))
	}
	return who, nil
}

// passing are Slack's answers that go away by themselves.
var passing = map[string]bool{
	"ratelimited": true, "rate_limited": true, "fatal_error": true, "internal_error": true, "service_unavailable": true,
	"team_added_to_org": true, "org_login_required": true, "request_timeout": true,
}

// lasting reports whether an error stays until a person does something: Slack has answered, and its answer is no.
func lasting(err error) bool {
	var refusal *SlackError
	if errors.As(err, &refusal) {
		return !passing[refusal.Code]
	}
	var unfit *UnfitChannelError
	return errors.As(err, &unfit) || errors.Is(err, ErrShared)
}
