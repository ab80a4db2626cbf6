package localslack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"rollbackbot/internal/localslack"
)

func text(s string) slack.MsgOption { return slack.MsgOptionText(s, false) }

func section(s string) slack.MsgOption {
	return slack.MsgOptionBlocks(slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", s, false, false), nil, nil))
}

func TestChat_PostAndUpdate(t *testing.T) {
	s := start(t)
	api := client(s)
	meta := slack.SlackMetadata{EventType: "rollback_request", EventPayload: map[string]any{"rollback": "rb-1"}}
	ts := post(t, api, team, text("one"), section("*one*"), slack.MsgOptionMetadata(meta))
	m := s.Messages(team)[0]
	if m.TS != ts || m.User != bot || m.Metadata.EventType != "rollback_request" || string(m.Metadata.Payload) != `{"rollback":"rb-1"}` {
		t.Errorf("posted = %+v", m)
	}
	if !strings.Contains(string(m.Blocks), `"block_id"`) {
		t.Errorf("blocks got no block_id: %s", m.Blocks)
	}
	_, _, _, err := api.UpdateMessage(team, ts, text("two"))
	if err != nil {
		t.Fatal(err)
	}
	m = s.Messages(team)[0]
	if m.Text != "two" || m.Blocks != nil || !m.Edited || m.Metadata == nil {
		t.Errorf("updated with text alone = %+v, want no blocks and the old metadata", m)
	}
	if len(m.Revisions) != 1 || m.Revisions[0].Text != "one" || m.Revisions[0].Blocks == nil {
		t.Errorf("revisions = %+v, want what it said before", m.Revisions)
	}
}

func TestChat_WhereOneMayPost(t *testing.T) {
	s := start(t)
	api := client(s)
	for channel, want := range map[string]string{
		other: "not_in_channel", hidden: "channel_not_found", "C99": "channel_not_found", "": "channel_not_found",
		"U6GONE": "channel_not_found",
	} {
		_, _, err := api.PostMessage(channel, text("hello"))
		wantError(t, err, want)
	}
	for _, channel := range []string{team, secret, "#team", "team"} {
		post(t, api, channel, text("hello"))
	}
	channel, _, err := api.PostMessage(ana, text("hello in private"))
	if err != nil || !strings.HasPrefix(channel, "D") {
		t.Errorf("post to a person = %q, %v; want their direct conversation", channel, err)
	}
	opened, _, already, err := api.OpenConversation(&slack.OpenConversationParameters{Users: []string{ana}})
	if err != nil || opened.ID != channel || !already {
		t.Errorf("conversations.open = %v, %v, %v; want %s, open already", opened, already, err, channel)
	}
	s.SetChannel(localslack.Channel{ID: team, Name: "team", Archived: true, Members: []string{bot}})
	_, _, err = api.PostMessage(team, text("hello"))
	wantError(t, err, "is_archived")
}

func TestChat_TextLimits(t *testing.T) {
	s := start(t)
	api := client(s)
	_, _, err := api.PostMessage(team)
	wantError(t, err, "no_text")
	ts := post(t, api, team, text(strings.Repeat("ä", 40_001)))
	if got := utf8.RuneCountInString(s.Messages(team)[0].Text); got != 40_000 {
		t.Errorf("a text of 40,001 characters is kept with %d, want 40,000", got)
	}
	_, _, _, err = api.UpdateMessage(team, ts, text(strings.Repeat("ä", 4_001)))
	wantError(t, err, "msg_too_long")
	if _, _, _, err = api.UpdateMessage(team, ts, text(strings.Repeat("ä", 4_000))); err != nil {
		t.Errorf("update with 4,000 characters: %v", err)
	}
}

func TestChat_Threads(t *testing.T) {
	s := start(t)
	api := client(s)
	top := post(t, api, team, text("top"))
	reply := post(t, api, team, text("reply"), slack.MsgOptionTS(top))
	both := post(t, api, team, text("both"), slack.MsgOptionTS(top), slack.MsgOptionBroadcast())
	for _, ts := range []string{"1.000001", reply} {
		_, _, err := api.PostMessage(team, text("lost"), slack.MsgOptionTS(ts))
		wantError(t, err, "cannot_reply_to_message")
	}
	if got := s.Messages(team); len(got) != 2 || got[1].TS != both {
		t.Errorf("top level = %+v, want the first and the one sent to both", got)
	}
	if got := s.Replies(team, top); len(got) != 2 || got[0].TS != reply {
		t.Errorf("replies = %+v, want two", got)
	}
	list, more, _, err := api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: team, Timestamp: top})
	if err != nil || more || len(list) != 3 || list[0].ReplyCount != 2 || list[0].ThreadTimestamp != top {
		t.Errorf("conversations.replies = %+v, %v, %v", list, more, err)
	}
	_, _, _, err = api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: team, Timestamp: "1.000001"})
	wantError(t, err, "thread_not_found")
	link := must[string](t)(api.GetPermalink(&slack.PermalinkParameters{Channel: team, Ts: reply}))
	if want := "/archives/" + team + "/p" + strings.ReplaceAll(reply, ".", "") + "?thread_ts=" + top; !strings.Contains(link, want) {
		t.Errorf("permalink = %s, want %s in it", link, want)
	}
}

func TestChat_Delete(t *testing.T) {
	s := start(t)
	api := client(s)
	top := post(t, api, team, text("top"))
	reply := post(t, api, team, text("reply"), slack.MsgOptionTS(top))
	if _, _, err := api.DeleteMessage(team, top); err != nil {
		t.Fatal(err)
	}
	if got := s.Messages(team); len(got) != 1 || got[0].Subtype != "tombstone" {
		t.Errorf("a deleted message with replies leaves %+v, want a tombstone", got)
	}
	if _, _, err := api.DeleteMessage(team, reply); err != nil {
		t.Fatal(err)
	}
	_, _, err := api.DeleteMessage(team, reply)
	wantError(t, err, "message_not_found")
	said := must[localslack.Message](t)(s.Say(ana, team, "", "hands off"))
	_, _, err = api.DeleteMessage(team, said.TS)
	wantError(t, err, "cant_delete_message")
	_, _, _, err = api.UpdateMessage(team, said.TS, text("mine"))
	wantError(t, err, "cant_update_message")
}

func TestChat_Ephemeral(t *testing.T) {
	s := start(t)
	api := client(s)
	ts := must[string](t)(api.PostEphemeral(team, ana, text("psst")))
	if got := s.Private(ana); len(got) != 1 || got[0].Text != "psst" || got[0].TS != ts {
		t.Errorf("ana sees %+v", got)
	}
	if len(s.Private(lena)) != 0 || len(s.Messages(team)) != 0 {
		t.Error("others see it too")
	}
	_, err := api.PostEphemeral(team, mallory, text("psst"))
	wantError(t, err, "user_not_in_channel")
	_, _, _, err = api.UpdateMessage(team, ts, text("changed"))
	wantError(t, err, "message_not_found")
}

func TestHistory(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, localslack.WithNow(func() time.Time { return now }))
	api := client(s)
	var stamps []string
	for i := range 5 {
		meta := slack.SlackMetadata{EventType: "n", EventPayload: map[string]any{"n": fmt.Sprint(i)}}
		stamps = append(stamps, post(t, api, team, text(fmt.Sprint(i)), slack.MsgOptionMetadata(meta)))
		now = now.Add(time.Minute)
	}
	read := func(p slack.GetConversationHistoryParameters) string {
		t.Helper()
		p.ChannelID = team
		got := must[*slack.GetConversationHistoryResponse](t)(api.GetConversationHistory(&p))
		var texts []string
		for _, m := range got.Messages {
			texts = append(texts, m.Text)
		}
		out := strings.Join(texts, "")
		if got.HasMore {
			p.Cursor = got.ResponseMetaData.NextCursor
			return out + "|" + must[*slack.GetConversationHistoryResponse](t)(api.GetConversationHistory(&p)).Messages[0].Text
		}
		return out
	}
	for name, c := range map[string]struct {
		p    slack.GetConversationHistoryParameters
		want string
	}{
		"all, newest first": {slack.GetConversationHistoryParameters{}, "43210"},
		"pages":             {slack.GetConversationHistoryParameters{Limit: 2}, "43|2"},
		"oldest excludes":   {slack.GetConversationHistoryParameters{Oldest: stamps[2]}, "43"},
		"inclusive":         {slack.GetConversationHistoryParameters{Oldest: stamps[2], Inclusive: true}, "432"},
		"latest":            {slack.GetConversationHistoryParameters{Latest: stamps[2]}, "10"},
		"whole seconds":     {slack.GetConversationHistoryParameters{Oldest: stamps[3][:10]}, "4"},
	} {
		if got := read(c.p); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	plain := must[*slack.GetConversationHistoryResponse](t)(api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: team}))
	if plain.Messages[0].Metadata.EventType != "" {
		t.Error("metadata is there without being asked for")
	}
	full := must[*slack.GetConversationHistoryResponse](t)(api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: team, IncludeAllMetadata: true}))
	if got, _ := json.Marshal(full.Messages[0].Metadata.EventPayload); string(got) != `{"n":"4"}` {
		t.Errorf("metadata = %s, want what was posted", got)
	}
	_, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: other})
	wantError(t, err, "not_in_channel")
	_, err = api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: team, Cursor: "nonsense"})
	wantError(t, err, "invalid_cursor")
}

func TestTimestamps_GrowWhileTheClockStands(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, localslack.WithNow(func() time.Time { return now }))
	api := client(s)
	first, second := post(t, api, team, text("a")), post(t, api, team, text("b"))
	if first >= second {
		t.Errorf("timestamps %s, %s, want them to grow", first, second)
	}
}
