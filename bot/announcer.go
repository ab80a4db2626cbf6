package bot

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// AnnouncerConfig is where the Announcer speaks, and what its messages need to know.
type AnnouncerConfig struct {
	Channel  string        // ID of the team channel
	Leads    []string      // who may sign off: IDs of users (U…) and of user groups (S…)
	Deputies []string      // likewise, once they are asked
	Apps     []runbook.App // for their dashboards, waiting times and runbooks
	// ErrorRate draws what a run of the step judged, as a PNG, and says it in words; nil: there are no pictures.
	ErrorRate func(runbook.Rollback, runbook.StepRun) (picture []byte, alt string, err error)
	// Self is who the bot is; zero: the Announcer asks Slack when it first has to know.
	Self Identity
}

// Announcer says in Slack what happens to rollbacks. Its methods may be called from any goroutine.
type Announcer struct {
	api *slack.Client
	cfg AnnouncerConfig
	log zerolog.Logger

	mu    sync.Mutex
	self  Identity
	links map[runbook.Post]string // the addresses of messages, as far as they were asked for
}

var _ runbook.Announcer = (*Announcer)(nil)

// NewAnnouncer makes an Announcer. It calls nobody yet.
func NewAnnouncer(api *slack.Client, cfg AnnouncerConfig, log zerolog.Logger) *Announcer {
	return &Announcer{api: api, cfg: cfg, self: cfg.Self, log: log.With().Str("component", "announcer").Logger()}
}

// The event types of the messages' metadata.
const (
	eventRequest = "rollback_request"
	eventRecord  = "rollback_record"
	eventNotice  = "rollback_notice" // all others
)

// message is what a notice says now.
func (a *Announcer) message(n runbook.Notice) Message { return marked(n.Rollback.ID, a.unmarked(n)) }

func (a *Announcer) unmarked(n runbook.Notice) Message {
	if n.Kind == runbook.NoticeBulletin {
		return bulletinMessage(n.Bulletin)
	}
	v := view{leads: a.cfg.Leads, deputies: a.cfg.Deputies, app: a.app(n.Rollback.App), now: time.Now()}
	var m Message
	switch n.Kind {
	case runbook.NoticeRequest:
		return requestMessage(n.Rollback, n.Live, v)
	case runbook.NoticeRecord:
		return recordMessage(n.Rollback, v)
	case runbook.NoticePlan:
		m = planMessage(n.Rollback)
	case runbook.NoticeMigrations:
		m = changesMessage(n.Rollback)
	case runbook.NoticeQuestion:
		m = questionMessage(n.Rollback, n.Question, v)
	case runbook.NoticeLift:
		m = liftMessage(*n.Lift)
	case runbook.NoticeCheckup:
		m = examinationMessage(*n.Checkup)
	case runbook.NoticeErrorRate:
		m = errorRateMessage(n.Rollback, n.Judged, uploaded{})
	case runbook.NoticeOwner, runbook.NoticeReminder:
		m = ownerMessage(n.Rollback, n.Asking, n.Kind == runbook.NoticeReminder, v)
	case runbook.NoticeWaiting:
		m = waitingMessage(n.Rollback, n.Question, n.Stage, v)
	case runbook.NoticeAsked:
		m = askedMessage(n.Rollback, n.Question, n.Stage, a.linkTo(n.Thread), v)
	case runbook.NoticeBroken:
		m = brokenMessage(n.Rollback, n.Question, a.linkTo(n.Thread))
	case runbook.NoticeOverdue:
		m = overdueMessage(n.Rollback, n.Asking, v)
	}
	return a.noticed(n, m)
}

// noticed gives a message of a thread the metadata by which it is found again.
func (a *Announcer) noticed(n runbook.Notice, m Message) Message {
	m.Metadata = slack.SlackMetadata{EventType: eventNotice, EventPayload: map[string]any{"rollback": n.Rollback.ID, "key": n.Key}}
	return m
}

func (a *Announcer) app(name string) runbook.App {
	for _, app := range a.cfg.Apps {
		if app.Name == name {
			return app
		}
	}
	return runbook.App{Name: name}
}

// Post posts a notice. A *runbook.RetryError when Slack wants fewer calls; a *SlackError when it refused; after any
// other error nobody knows whether the message is there. A thread whose first message somebody has deleted is no reason
// to keep quiet: the notice then goes to the channel.
func (a *Announcer) Post(ctx context.Context, n runbook.Notice) (runbook.Post, error) {
	if n.Kind == runbook.NoticeErrorRate {
		return a.postPicture(ctx, n)
	}
	a.findLink(ctx, n)
	return a.sayWherever(n, func(channel, thread string) (runbook.Post, error) { return a.say(ctx, n, channel, thread) })
}

func (a *Announcer) postWherever(ctx context.Context, n runbook.Notice, m Message) (runbook.Post, error) {
	return a.sayWherever(n, func(channel, thread string) (runbook.Post, error) { return a.post(ctx, channel, thread, m) })
}

// sayWherever says a notice to its person or in its thread, and where that is gone, to the next that is there.
func (a *Announcer) sayWherever(n runbook.Notice, say func(channel, thread string) (runbook.Post, error)) (runbook.Post, error) {
	if n.To != "" {
		at, err := say(n.To, "")
		if err == nil || !isCode(err, goneTo...) {
			return at, posting(err)
		}
		if asksBeside(n) {
			return runbook.Post{}, fmt.Errorf("%w: %w", runbook.ErrUnreachable, err)
		}
		a.log.Warn().Err(err).Str("rollback_id", n.Rollback.ID).Str("notice", n.Key).Msg("the person can't be written to; posting in the thread")
	}
	at, err := say(a.channelOf(n), n.Thread.TS)
	if isCode(err, goneThread...) {
		a.log.Warn().Str("rollback_id", n.Rollback.ID).Str("notice", n.Key).Msg("the thread's first message is gone; posting to the channel")
		at, err = say(a.cfg.Channel, "")
	}
	return at, posting(err)
}

// say posts a notice's message, or its file.
func (a *Announcer) say(ctx context.Context, n runbook.Notice, channel, thread string) (runbook.Post, error) {
	if n.Kind == runbook.NoticePostmortem {
		return a.upload(ctx, channel, thread, postmortemFile(n.Rollback, n.Text))
	}
	return a.post(ctx, channel, thread, a.message(n))
}

func posting(err error) error {
	if err != nil {
		return fmt.Errorf("post to Slack: %w", err)
	}
	return nil
}

// asksBeside reports whether a notice says to one person what the channel is told too: where they can't be written to,
// nothing has to be said elsewhere.
func asksBeside(n runbook.Notice) bool {
	return n.Kind == runbook.NoticeAsked || n.Kind == runbook.NoticeBroken
}

// goneThread are Slack's words for a thread that isn't there.
var goneThread = []string{"cannot_reply_to_message", "thread_not_found", "message_not_found"}

// goneTo are Slack's words for people to whom a bot can't write: deactivated, of another organisation, bots themselves.
var goneTo = []string{"user_disabled", "user_not_found", "user_not_visible", "cannot_dm_bot", "channel_not_found", "messages_tab_disabled", "is_inactive"}

func (a *Announcer) channelOf(n runbook.Notice) string {
	return orElse(n.Thread.Channel, a.cfg.Channel)
}

func (a *Announcer) post(ctx context.Context, channel, thread string, m Message) (runbook.Post, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	options := content(m)
	if thread != "" {
		options = append(options, slack.MsgOptionTS(thread))
	}
	where, ts, err := a.api.PostMessageContext(ctx, channel, options...)
	if err != nil {
		return runbook.Post{}, remedied(err)
	}
	return runbook.Post{Channel: where, TS: ts}, nil
}

// content is a message as Slack takes it. Links are never unfolded: a preview would put foreign words under ours. The
// text is not read for markup either.
func content(m Message) []slack.MsgOption {
	options := []slack.MsgOption{
		slack.MsgOptionText(m.Text, false), slack.MsgOptionBlocks(m.Blocks...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(), slack.MsgOptionDisableMarkdown(),
	}
	if m.Metadata.EventType != "" {
		options = append(options, slack.MsgOptionMetadata(m.Metadata))
	}
	return options
}

// Update brings a notice up to date. A message that somebody has deleted, or that can't be edited any more, stays so:
// that is no error, since the record is a message of its own.
func (a *Announcer) Update(ctx context.Context, at runbook.Post, n runbook.Notice) error {
	a.findLink(ctx, n)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, _, _, err := a.api.UpdateMessageContext(ctx, at.Channel, at.TS, content(a.message(n))...)
	err = remedied(err)
	if isCode(err, "message_not_found", "edit_window_closed") || asksBeside(n) && isCode(err, goneTo...) {
		a.log.Warn().Err(err).Str("rollback_id", n.Rollback.ID).Str("notice", n.Key).Msg("a message can't be brought up to date")
		return nil
	}
	if err != nil {
		return fmt.Errorf("update in Slack: %w", err)
	}
	return nil
}

// Permalink is the address of a message.
func (a *Announcer) Permalink(ctx context.Context, at runbook.Post) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	address, err := a.api.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: at.Channel, Ts: at.TS})
	if err != nil {
		return "", fmt.Errorf("ask Slack for a link: %w", remedied(err))
	}
	return address, nil
}

// findLink asks Slack once for the address of the channel's message that a private one leads to. Without it the private
// one does without.
func (a *Announcer) findLink(ctx context.Context, n runbook.Notice) {
	if !asksBeside(n) || n.Thread.TS == "" || a.linkTo(n.Thread) != "" {
		return
	}
	address, err := a.Permalink(ctx, n.Thread)
	if err != nil {
		a.log.Warn().Err(err).Str("rollback_id", n.Rollback.ID).Str("notice", n.Key).Msg("a private message has no link to the channel's")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.links == nil || len(a.links) >= maxLinks {
		a.links = map[runbook.Post]string{}
	}
	a.links[n.Thread] = address
}

// maxLinks bounds the addresses that are remembered: far more than there are rollbacks under way.
const maxLinks = 100

func (a *Announcer) linkTo(at runbook.Post) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.links[at]
}

// findMargin is how much Slack's clock may differ from ours: a minute is far more than either allows itself.
const findMargin = time.Minute

// Find looks for a notice that may have been posted since then: by what its metadata says, and only among the bot's own
// messages, since anybody's app could write the same metadata. An error leaves it open whether it is there.
func (a *Announcer) Find(ctx context.Context, n runbook.Notice, since time.Time) (runbook.Post, bool, error) {
	self, err := a.whoami(ctx)
	if err != nil {
		return runbook.Post{}, false, err
	}
	if n.To != "" {
		at, found, err := a.findPrivate(ctx, n, since, self)
		if found || err != nil || asksBeside(n) {
			return at, found, whileLooking(err)
		}
	}
	if n.Kind == runbook.NoticePostmortem && time.Since(since) < shareTime {
		return runbook.Post{}, false, &runbook.RetryError{After: shareTime, Err: errors.New("a file that was uploaded a moment ago may not be shown yet")}
	}
	search := finder{api: a.api, channel: a.channelOf(n), oldest: oldestOf(since), match: func(m slack.Message) bool {
		return ours(m, self) && carries(m, n)
	}}
	if n.Thread.TS != "" {
		at, found, err := search.inThread(ctx, n.Thread.TS)
		if found || err != nil && !isCode(err, goneThread...) {
			return at, found, whileLooking(err)
		}
		if err == nil {
			return runbook.Post{}, false, nil
		}
	}
	at, found, err := search.inChannel(ctx)
	return at, found, whileLooking(err)
}

// shareTime is how long Slack may take to show a file in its thread.
const shareTime = 15 * time.Second

// findPrivate looks in the conversation with the one person whom a notice is for; nothing is found where there can be none.
func (a *Announcer) findPrivate(ctx context.Context, n runbook.Notice, since time.Time, self Identity) (runbook.Post, bool, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	with, _, _, err := a.api.OpenConversationContext(limited, &slack.OpenConversationParameters{Users: []string{n.To}})
	switch err = remedied(err); {
	case isCode(err, goneTo...):
		return runbook.Post{}, false, nil
	case err != nil:
		return runbook.Post{}, false, err
	}
	search := finder{api: a.api, channel: with.ID, oldest: oldestOf(since), match: func(m slack.Message) bool {
		return ours(m, self) && carries(m, n)
	}}
	return search.inChannel(ctx)
}

func oldestOf(since time.Time) string {
	return strconv.FormatFloat(float64(since.Add(-findMargin).UnixMicro())/1e6, 'f', 6, 64)
}

func whileLooking(err error) error {
	if err != nil {
		return fmt.Errorf("look for the message in Slack: %w", err)
	}
	return nil
}

func (a *Announcer) whoami(ctx context.Context) (Identity, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.self != (Identity{}) {
		return a.self, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	self, err := Identify(ctx, a.api)
	if err == nil {
		a.self = self
	}
	return self, err
}

// ours reports whether the bot itself wrote a message.
func ours(m slack.Message, self Identity) bool {
	return self.Bot != "" && m.BotID == self.Bot || self.User != "" && m.User == self.User
}

// carries reports whether a message is that of a notice, by its metadata; a file has none, and is known by its name.
func carries(m slack.Message, n runbook.Notice) bool {
	meta := m.Metadata
	switch n.Kind {
	case runbook.NoticePostmortem:
		return holds(m, postmortemName(n.Rollback))
	case runbook.NoticeBulletin:
		return meta.EventType == eventNotice && meta.EventPayload["app"] == n.Bulletin.App && meta.EventPayload["key"] == n.Key
	}
	if meta.EventPayload["rollback"] != n.Rollback.ID {
		return false
	}
	switch n.Kind {
	case runbook.NoticeRequest:
		return meta.EventType == eventOf(n.Rollback.ID, eventRequest)
	case runbook.NoticeRecord:
		return meta.EventType == eventOf(n.Rollback.ID, eventRecord)
	}
	return meta.EventType == eventNotice && meta.EventPayload["key"] == n.Key
}

// finder pages through messages until one matches.
type finder struct {
	api             *slack.Client
	channel, oldest string
	match           func(slack.Message) bool
}

const pageSize = 200 // what Slack recommends at most: https://docs.slack.dev/apis/web-api/pagination

func (f finder) inChannel(ctx context.Context) (runbook.Post, bool, error) {
	return f.pages(func(cursor string) ([]slack.Message, string, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		page, err := f.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: f.channel, Oldest: f.oldest, Cursor: cursor, Limit: pageSize, IncludeAllMetadata: true,
		})
		if err != nil {
			return nil, "", err
		}
		return page.Messages, page.ResponseMetaData.NextCursor, nil
	})
}

func (f finder) inThread(ctx context.Context, thread string) (runbook.Post, bool, error) {
	return f.pages(func(cursor string) ([]slack.Message, string, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		messages, _, next, err := f.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: f.channel, Timestamp: thread, Oldest: f.oldest, Cursor: cursor, Limit: pageSize, IncludeAllMetadata: true,
		})
		return messages, next, err
	})
}

func (f finder) pages(read func(cursor string) ([]slack.Message, string, error)) (runbook.Post, bool, error) {
	cursor := ""
	for {
		messages, next, err := read(cursor)
		if err != nil {
			return runbook.Post{}, false, remedied(err)
		}
		for _, m := range messages {
			if f.match(m) {
				return runbook.Post{Channel: f.channel, TS: m.Timestamp}, true, nil
			}
		}
		if next == "" {
			return runbook.Post{}, false, nil
		}
		cursor = next
	}
}

// Reply is where a person is answered privately.
type Reply struct {
	Channel     string // where they typed or clicked
	User        string // Slack ID
	ResponseURL string // what Slack gave to answer by: good for 30 minutes and five answers; empty: none
	ThreadTS    string // the thread that they clicked in; empty: none
}

// Private says something to one person: by the response_url, which works wherever they typed; else as a message that
// they alone see; and where the bot isn't in that channel, in their conversation with the bot.
func (a *Announcer) Private(ctx context.Context, to Reply, m Message) error {
	var failures []error
	for _, way := range []func(context.Context, Reply, Message) error{a.respond, a.whisper, a.write} {
		err := way(ctx, to, m)
		if err == nil {
			return nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("answer %s privately: %w", to.User, errors.Join(failures...))
}

var errNoWay = errors.New("there is no such way to them")

func (a *Announcer) respond(ctx context.Context, to Reply, m Message) error {
	if to.ResponseURL == "" {
		return errNoWay
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	options := append(inThread(to, content(m)), slack.MsgOptionResponseURL(to.ResponseURL, slack.ResponseTypeEphemeral))
	_, _, err := a.api.PostMessageContext(ctx, to.Channel, options...)
	return remedied(err)
}

func (a *Announcer) whisper(ctx context.Context, to Reply, m Message) error {
	if to.Channel == "" || to.User == "" {
		return errNoWay
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := a.api.PostEphemeralContext(ctx, to.Channel, to.User, inThread(to, content(m))...)
	return remedied(err)
}

func inThread(to Reply, options []slack.MsgOption) []slack.MsgOption {
	if to.ThreadTS == "" {
		return options
	}
	return append(options, slack.MsgOptionTS(to.ThreadTS))
}

func (a *Announcer) write(ctx context.Context, to Reply, m Message) error {
	if to.User == "" {
		return errNoWay
	}
	_, err := a.post(ctx, to.User, "", m)
	return err
}
