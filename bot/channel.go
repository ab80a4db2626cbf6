package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Channel is the team channel.
type Channel struct {
	API *slack.Client
	ID  string
}

// ErrShared says that the team channel is shared with another organisation, or about to be.
var ErrShared = errors.New("the team channel is shared with another organisation, or an invitation to that is open")

// UnfitChannelError says why a channel can't be the team's, with the remedy.
type UnfitChannelError struct {
	Channel string // its ID
	Why     string
}

func (e *UnfitChannelError) Error() string { return "the team channel " + e.Channel + " " + e.Why }

// Check reads the channel and says why it can't be the team's: ErrShared, the bot isn't in it, it is archived, or it
// can't be read. Asked at the start, before each request and at each click, since a channel is shared by one click of
// anyone who may.
func (c Channel) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := c.API.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: c.ID})
	switch {
	case err != nil:
		return fmt.Errorf("read the team channel %s: %w", c.ID, remedied(err))
	case foreign(info):
		return ErrShared
	case info.IsArchived:
		return &UnfitChannelError{Channel: c.ID, Why: "is archived: unarchive it, or name another in ROLLBACK_CHANNEL"}
	case !info.IsMember:
		return &UnfitChannelError{Channel: c.ID, Why: "doesn't have the bot in it: invite it there with /invite"}
	}
	return nil
}

// foreign reports whether people of another organisation read along, or may from their acceptance on. A channel shared
// between workspaces of one organisation alone (is_org_shared) stays inside; whoever is of another workspace is barred.
func foreign(c *slack.Channel) bool {
	outside := func(team string) bool { return !slices.Contains(c.InternalTeamIDs, team) }
	return c.IsExtShared || c.IsPendingExtShared || len(c.PendingShared) > 0 ||
		slices.ContainsFunc(c.ConnectedTeamIDs, outside) || c.IsShared && !c.IsOrgShared
}

// refuseShared is what Check's answer means to the person who asked for something: a *runbook.RefusedError, or nil.
func refuseShared(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrShared):
		return &runbook.RefusedError{Why: "The team channel is shared with another organisation, or about to be, so nothing is decided there. Have it unshared, or use another channel."}
	}
	return &runbook.RefusedError{Why: "It could not be read from Slack whether the team channel is shared with another organisation, so this doesn't count. Try again; the bot's log says more."}
}
