package bot

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/slack-go/slack"
)

// pauses fails n times with err, each time as soon as it is time again, and gives the pauses.
func pauses(c *schedule, err error, n int) (list []time.Duration) {
	now := time.Now()
	for range n {
		c.failed(err, 0, now)
		pause := c.wait(0, 2, now)
		list = append(list, pause)
		now = now.Add(pause)
	}
	return list
}

func TestSchedule_Pauses(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want []time.Duration // in seconds
	}{
		{"Slack's own trouble", slack.StatusCodeError{Code: 500}, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}},
		{"Slack refuses", slack.SlackErrorResponse{Err: "internal_error"}, []time.Duration{1, 2, 4}},
		{"nobody there", &net.OpError{Op: "dial", Err: errors.New("refused")}, []time.Duration{1, 2, 4, 8, 15, 15}},
		{"switched off", &disconnectError{Reason: reasonLinkDisabled}, []time.Duration{1, 2, 4, 8, 16, 32, 60}},
		{"too many", &disconnectError{Reason: reasonTooMany}, []time.Duration{1, 2, 4, 8, 16, 32, 60}},
		{"rate limit", &slack.RateLimitedError{RetryAfter: 30 * time.Second}, []time.Duration{30, 30, 30, 30, 30, 32}},
		{"a person's turn", slack.SlackErrorResponse{Err: "missing_scope"}, []time.Duration{300, 300}},
	} {
		got := pauses(&schedule{}, test.err, len(test.want))
		for i := range test.want {
			test.want[i] *= time.Second
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: pauses of %v, want %v", test.name, got, test.want)
		}
	}
}

func TestSchedule_ALongTimeOfFailures(t *testing.T) {
	if got := pauses(&schedule{}, errors.New("odd"), 1000); got[999] != lastReconnect {
		t.Errorf("the thousandth pause is %s, want %s", got[999], lastReconnect)
	}
}

func TestSchedule_BeginsAnewAfterASocketLived(t *testing.T) {
	c := &schedule{}
	pauses(c, errors.New("odd"), 5)
	c.lived()
	if got := pauses(c, errors.New("odd"), 1); got[0] < firstReconnect || got[0] > lastReconnect {
		t.Errorf("the pause is %s", got[0])
	}
	if c.failures != 1 {
		t.Errorf("%d failures, want 1", c.failures)
	}
}

// A later failure must not shorten what Slack asked for.
func TestSchedule_RetryAfterStands(t *testing.T) {
	c, now := &schedule{}, time.Now()
	c.failed(&slack.RateLimitedError{RetryAfter: time.Minute}, 1, now)
	c.lived()
	c.failed(&disconnectError{Reason: reasonLinkDisabled}, 1, now.Add(time.Second))
	if got := c.wait(0, 2, now.Add(time.Second)); got != 59*time.Second {
		t.Errorf("the pause is %s, want the rest of Slack's minute", got)
	}
}

func TestSchedule_ContentWithFewer(t *testing.T) {
	c, now := &schedule{}, time.Now()
	c.failed(&disconnectError{Reason: reasonTooMany}, 1, now)
	later := now.Add(time.Minute)
	if got := c.wait(1, 2, later); got != fewerTime-time.Minute {
		t.Errorf("with one socket the next is opened after %s, want %s", got, fewerTime-time.Minute)
	}
	if got := c.wait(0, 2, later); got != 0 {
		t.Errorf("with none the next is opened after %s, want at once", got)
	}
	if got := c.wait(2, 2, later); got != idle {
		t.Errorf("with all there is a wait of %s, want to be idle", got)
	}
	if got := c.wait(1, 2, now.Add(fewerTime)); got != 0 {
		t.Errorf("after that time the wait is %s, want none", got)
	}
}
