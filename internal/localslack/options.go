package localslack

import "time"

// Option changes how a [Server] behaves.
type Option func(*options)

type options struct {
	now          func() time.Time
	pageToken    string
	people       []Person
	panel        Panel
	pressed      func(string)
	banner       string
	suggestions  []string
	ackTimeout   time.Duration
	pingInterval time.Duration
	grace        time.Duration
	rateLimits   bool
}

// Person is one choice of the page's "You are" switch.
type Person struct {
	User string // ID of a user of the workspace
	Role string // what they are to the team, in two or three words: "on-call"
}

func defaultOptions() options {
	return options{
		now:          time.Now,
		ackTimeout:   3 * time.Second,  // https://docs.slack.dev/interactivity/handling-user-interaction
		pingInterval: 10 * time.Second, // Slack publishes no figure; slack-go gives up after 30 s without a ping
		grace:        10 * time.Second, // "about 10 seconds before the disconnect": https://docs.slack.dev/apis/events-api/using-socket-mode
	}
}

// WithNow makes message timestamps and the ages of trigger and response URLs follow now instead of
// the system clock. Timers (acknowledgements, pings, grace) go on in real time, so that a test
// can age things by hours at once.
func WithNow(now func() time.Time) Option { return func(o *options) { o.now = now } }

// WithPageToken sets the secret in [Server.PageURL]; by default it is random.
func WithPageToken(token string) Option { return func(o *options) { o.pageToken = token } }

// WithPeople says whom one can be on the page, the first being the one it opens as.
// By default that is every user who is neither a bot nor deleted, without roles.
func WithPeople(people ...Person) Option { return func(o *options) { o.people = people } }

// WithBanner shows text across the top of the page.
func WithBanner(text string) Option { return func(o *options) { o.banner = text } }

// WithSuggestions shows lines to try under the page's message box; a click puts one into the box.
func WithSuggestions(lines ...string) Option { return func(o *options) { o.suggestions = lines } }

// WithAckTimeout changes how long an acknowledgement may take; Slack's own 3 s by default.
func WithAckTimeout(d time.Duration) Option { return func(o *options) { o.ackTimeout = d } }

// WithPingInterval changes how often each socket is pinged (10 s by default). Zero or less: never, as a
// connection that went dead without closing.
func WithPingInterval(d time.Duration) Option { return func(o *options) { o.pingInterval = d } }

// WithGrace changes how long a socket lives on after the warning that it will be closed;
// 10 s by default, as Slack's documentation says.
func WithGrace(d time.Duration) Option { return func(o *options) { o.grace = d } }

// WithRateLimits answers 429 when calls exceed the tier of their method; see ratelimit.go.
func WithRateLimits() Option { return func(o *options) { o.rateLimits = true } }
