package localslack

import (
	"math"
	"time"
)

// tier is how many calls of a method a minute allows.
//
// The numbers are the least that Slack promises for each tier:
// https://docs.slack.dev/apis/web-api/rate-limits. "Special" is chat.postMessage, one message a second and
// channel, where "short bursts" pass.
type tier int

const (
	tierNone    tier = 0
	tier1       tier = 1
	tier2       tier = 20
	tier3       tier = 50
	tier4       tier = 100
	tierPosting tier = -1
)

// postingBurst is how many messages a channel takes at once before one a second is all. Slack names no number.
const postingBurst = 5

// limiter remembers recent calls; the key is the method, or the method and channel for posting.
type limiter map[string][]time.Time

// take counts a call. It returns 0 if the call may pass, or else the whole seconds after which one may.
func (l limiter) take(method string, t tier, channel string, now time.Time) int {
	key, window, limit := method, time.Minute, int(t)
	switch t {
	case tierNone:
		return 0
	case tierPosting:
		key, window, limit = method+" "+channel, postingBurst*time.Second, postingBurst
	}
	recent := filter(l[key], func(at time.Time) bool { return now.Sub(at) < window })
	if len(recent) >= limit {
		l[key] = recent
		return max(1, int(math.Ceil((window - now.Sub(recent[0])).Seconds())))
	}
	l[key] = append(recent, now)
	return 0
}
