package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Checkup looks at all that a rollback needs of Slack. Its Directory's Team may be empty: Slack is asked.
type Checkup struct {
	API                *slack.Client
	BotToken, AppToken string // looked at for their kind alone
	Channel            Channel
	Directory          *Directory
}

// Checks are its checks.
func (c Checkup) Checks() []runbook.Check {
	one := func(f func(context.Context, string) runbook.Finding, about string) runbook.Check {
		return runbook.Check{About: about, Run: func(ctx context.Context) []runbook.Finding {
			ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
			defer cancel()
			return []runbook.Finding{f(ctx, about)}
		}}
	}
	return []runbook.Check{
		{About: "bot token", Run: c.token},
		one(c.socket, "app token"),
		one(c.fit, "team channel"),
		one(c.history, "history of the team channel"),
		one(c.leads, "leads"),
		one(c.deputies, "deputies"),
		one(c.requesters, "requesters"),
	}
}

// token is what one call of auth.test tells: the token's kind, its scopes, and Slack's clock.
func (c Checkup) token(ctx context.Context) []runbook.Finding {
	if !strings.HasPrefix(c.BotToken, "xoxb-") {
		return []runbook.Finding{runbook.FoundWrong("bot token", "Copy the Bot User OAuth Token into SLACK_BOT_TOKEN, from the app's page under OAuth & Permissions", "SLACK_BOT_TOKEN doesn't begin with xoxb-")}
	}
	asked := time.Now()
	who, err := c.API.AuthTestContext(ctx)
	if err != nil {
		return []runbook.Finding{refusedCheck("bot token", err), runbook.NotChecked("scopes", "Slack doesn't say"), runbook.NotChecked("Slack's clock", "Slack doesn't say")}
	}
	return []runbook.Finding{
		runbook.FoundFine("bot token", "Slack knows it as %s in %s", who.User, who.Team),
		scopesFinding(who.Header),
		slackClock(who.Header, asked, time.Now()),
	}
}

func scopesFinding(header http.Header) runbook.Finding {
	said := header.Get("X-OAuth-Scopes")
	if said == "" {
		return runbook.NotChecked("scopes", "Slack's answer doesn't name them")
	}
	var have, lacking []string
	for _, scope := range strings.Split(said, ",") {
		have = append(have, strings.TrimSpace(scope))
	}
	for _, scope := range scopes {
		if !slices.Contains(have, scope) {
			lacking = append(lacking, scope)
		}
	}
	if len(lacking) > 0 {
		return runbook.FoundWrong("scopes", "Paste `rollbackbot manifest` on the app's page under App Manifest, then install the app again", "the bot token lacks %s", strings.Join(lacking, ", "))
	}
	return runbook.FoundFine("scopes", "all %d are there", len(scopes))
}

func slackClock(header http.Header, asked, answered time.Time) runbook.Finding {
	clock, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return runbook.NotChecked("Slack's clock", "its answer has no date")
	}
	return runbook.ClockFinding("Slack's clock", clock, asked, answered)
}

func (c Checkup) socket(ctx context.Context, about string) runbook.Finding {
	if !strings.HasPrefix(c.AppToken, "xapp-") {
		return runbook.FoundWrong(about, "Make an app-level token with the scope connections:write, on the app's page under Basic Information, and put it into SLACK_APP_TOKEN", "SLACK_APP_TOKEN doesn't begin with xapp-")
	}
	_, _, err := c.API.StartSocketModeContext(ctx) // the address is good for one socket, and isn't used
	if remedy, lasting := permanent(err); lasting {
		return runbook.FoundWrong(about, capital(remedy), "it can't open a socket: %v", bare(err))
	}
	if err != nil {
		return refusedCheck(about, bare(err))
	}
	return runbook.FoundFine(about, "Slack gives it the address of a socket")
}

func (c Checkup) fit(ctx context.Context, about string) runbook.Finding {
	err := c.Channel.Check(ctx)
	var unfit *UnfitChannelError
	switch {
	case err == nil:
		return runbook.FoundFine(about, "the bot is in it, it is not archived, and not shared with another organisation")
	case errors.Is(err, ErrShared):
		return runbook.FoundWrong(about, "Have it unshared, or name another in ROLLBACK_CHANNEL", "%v", err)
	case errors.As(err, &unfit):
		what, remedy, _ := strings.Cut(unfit.Why, ": ")
		return runbook.FoundWrong(about, capital(remedy), "%s %s", unfit.Channel, what)
	}
	return refusedCheck(about, err)
}

func (c Checkup) history(ctx context.Context, about string) runbook.Finding {
	_, err := c.API.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: c.Channel.ID, Limit: 1, IncludeAllMetadata: true})
	if err != nil {
		return refusedCheck(about, remedied(err))
	}
	return runbook.FoundFine(about, "it can be read")
}

func (c Checkup) leads(ctx context.Context, about string) runbook.Finding {
	return c.people(ctx, about, "ROLLBACK_LEADS", c.Directory.Leads)
}

func (c Checkup) deputies(ctx context.Context, about string) runbook.Finding {
	if len(c.Directory.Deputies) == 0 {
		return runbook.NotChecked(about, "none are configured, so nobody is asked when no lead answers")
	}
	return c.people(ctx, about, "ROLLBACK_DEPUTIES", c.Directory.Deputies)
}

func (c Checkup) requesters(ctx context.Context, about string) runbook.Finding {
	if c.Directory.ChannelMayRequest {
		query := slack.GetUsersInConversationParameters{ChannelID: c.Channel.ID, Limit: 200}
		members, _, err := c.API.GetUsersInConversationContext(ctx, &query)
		if err != nil {
			return refusedCheck(about, remedied(err))
		}
		return runbook.FoundFine(about, "full members of the team channel, which has %d or more members", len(members))
	}
	return c.people(ctx, about, "ROLLBACK_REQUESTERS", c.Directory.Requesters)
}

// people looks at everybody who is named: a user who doesn't count, a group that can't be read, or one in which nobody
// counts, is wrong, whoever else is there.
func (c Checkup) people(ctx context.Context, about, variable string, ids []string) runbook.Finding {
	who, err := Identify(ctx, c.API)
	if err != nil {
		return refusedCheck(about, err)
	}
	directory := *c.Directory
	directory.Team = who.Team
	var wrong []string
	counting := map[string]bool{}
	for _, id := range ids {
		members := []string{id}
		group := strings.HasPrefix(id, "S")
		if group {
			if members, err = (groupReader{api: c.API, read: map[string][]string{}}).members(ctx, id); err != nil {
				wrong = append(wrong, fmt.Sprintf("user group %s can't be read: %v", id, err))
				continue
			}
		}
		good := 0
		var why string
		for _, member := range members {
			user, err := c.API.GetUserInfoContext(ctx, member)
			switch {
			case err != nil:
				why = fmt.Sprintf("%s: %v", member, remedied(err))
			case directory.barred(user) != "":
				why = member + ": " + directory.barred(user)
			default:
				good++
				counting[member] = true
			}
		}
		switch {
		case good > 0:
		case group && len(members) == 0:
			wrong = append(wrong, "user group "+id+" is empty")
		case group:
			wrong = append(wrong, "nobody in user group "+id+" counts ("+why+")")
		default:
			wrong = append(wrong, why)
		}
	}
	if len(wrong) > 0 {
		return runbook.FoundWrong(about, "Mend "+variable+", or the user group in Slack", "%s", strings.Join(wrong, "; "))
	}
	return runbook.FoundFine(about, "%d people who count", len(counting))
}

// refusedCheck is what a failed call means to who has to mend it.
func refusedCheck(about string, err error) runbook.Finding {
	var refused *SlackError
	if errors.As(remedied(err), &refused) {
		return runbook.FoundWrong(about, capital(refused.Remedy), "Slack says %s", refused.Code)
	}
	return runbook.FoundWrong(about, "Check the way to Slack from here, and SLACK_API_URL if it is set", "Slack could not be asked: %v", err)
}

// capital makes a text begin with one, and leaves its end open.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
