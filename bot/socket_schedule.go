package bot

import (
	"errors"
	"net"
	"time"

	"github.com/slack-go/slack"
)

// schedule says when the next socket may be opened. It knows what went wrong; that sockets which open well and die at
// once are not opened in a burst is the pacer's part.
type schedule struct {
	failures   int       // since a socket lived
	notBefore  time.Time // no opening before
	most       int       // Slack took no more than these, …
	fewerUntil time.Time // … so there is no use in asking for more before this
}

const (
	// A failed opening is followed by another after a second, then two, four, …, a minute. Slack promises
	// apps.connections.open no more than once a minute: https://docs.slack.dev/apis/web-api/rate-limits
	firstReconnect = time.Second
	lastReconnect  = time.Minute
	// offlineReconnect bounds the pause where nobody was reached at all, which costs Slack nothing: when the network
	// comes back, the bot hears soon.
	offlineReconnect = 15 * time.Second
	// fatalReconnect is how often a connection is tried that a person has to mend first.
	fatalReconnect = 5 * time.Minute
	// fewerTime is how long the bot is content with the sockets that it has, after Slack said that there are too many.
	// Other replicas, and sockets that were left without a goodbye, hold the rest.
	fewerTime = 5 * time.Minute
	// idle is how often the keeper looks though nothing told it to: how many sockets are wanted may have changed.
	idle = 5 * time.Second
)

// The reasons of Slack's disconnect messages: https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect
const (
	reasonWarning      = "warning"             // the connection ends in about 10 s
	reasonLinkDisabled = "link_disabled"       // Socket Mode was switched off
	reasonTooMany      = "too_many_websockets" // the app has ten connections
)

// disconnectError is Slack's word that it ends a connection.
type disconnectError struct{ Reason string }

func (e *disconnectError) Error() string { return e.Reason }

// failed counts a failure, and lets the next opening wait accordingly. listening is how many sockets there are.
func (c *schedule) failed(err error, listening int, now time.Time) {
	pause := min(firstReconnect<<min(c.failures, 10), lastReconnect)
	c.failures++
	var limited *slack.RateLimitedError
	var told *disconnectError
	var offline net.Error
	switch {
	case errors.As(err, &limited):
		pause = max(pause, limited.RetryAfter)
	case errors.As(err, &told):
		if told.Reason == reasonTooMany {
			c.most, c.fewerUntil = max(1, listening), now.Add(fewerTime)
		}
	case errors.As(err, &offline):
		pause = min(pause, offlineReconnect)
	default:
		if _, fatal := permanent(err); fatal {
			pause = fatalReconnect
		}
	}
	if next := now.Add(pause); next.After(c.notBefore) {
		c.notBefore = next
	}
}

// lived says that a socket did well for a while: what failed before it is over.
func (c *schedule) lived() { c.failures = 0 }

// wait is how long the next opening has to wait, if there are so many sockets of so many wanted; 0: it is time.
func (c *schedule) wait(listening, wanted int, now time.Time) time.Duration {
	switch {
	case listening >= wanted:
		return idle
	case listening > 0 && listening >= c.most && now.Before(c.fewerUntil):
		return c.fewerUntil.Sub(now)
	case now.Before(c.notBefore):
		return c.notBefore.Sub(now)
	}
	return 0
}
