package localslack_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/internal/localslack"
)

// call is one request by hand.
func call(t *testing.T, s *localslack.Server, method, contentType, header, body string) map[string]any {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, s.APIURL()+method, strings.NewReader(body)))
	req.Header.Set("Content-Type", contentType)
	if header != "" {
		req.Header.Set("Authorization", header)
	}
	res := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWebAPI_Tokens(t *testing.T) {
	s := start(t)
	const form, object = "application/x-www-form-urlencoded", "application/json; charset=utf-8"
	for name, c := range map[string]struct{ method, kind, header, body, want string }{
		"token in the form":        {"auth.test", form, "", "token=xoxb-test", ""},
		"token in the header":      {"auth.test", form, "Bearer xoxb-test", "", ""},
		"header beside JSON":       {"auth.test", object, "Bearer xoxb-test", "{}", ""},
		"token in JSON":            {"auth.test", object, "", `{"token":"xoxb-test"}`, "not_authed"},
		"no token":                 {"auth.test", form, "", "", "not_authed"},
		"unknown token":            {"auth.test", form, "", "token=xoxb-other", "invalid_auth"},
		"app token for a method":   {"auth.test", form, "Bearer xapp-test", "", "not_allowed_token_type"},
		"bot token for sockets":    {"apps.connections.open", form, "Bearer xoxb-test", "", "not_allowed_token_type"},
		"app token for sockets":    {"apps.connections.open", form, "Bearer xapp-test", "", ""},
		"unknown method":           {"chat.shout", form, "Bearer xoxb-test", "", "unknown_method"},
		"no token needed":          {"api.test", form, "", "foo=bar", ""},
		"an error on request":      {"api.test", form, "", "error=oh_no", "oh_no"},
		"a body that is not JSON":  {"auth.test", object, "Bearer xoxb-test", "{", "invalid_json"},
		"blocks in a JSON body":    {"chat.postMessage", object, "Bearer xoxb-test", `{"channel":"C1TEAM","blocks":[{"type":"divider"}]}`, ""},
		"blocks as a JSON string":  {"chat.postMessage", form, "Bearer xoxb-test", "channel=C1TEAM&blocks=" + url.QueryEscape(`[{"type":"divider"}]`), ""},
		"blocks that are not JSON": {"chat.postMessage", form, "Bearer xoxb-test", "channel=C1TEAM&blocks=nope", "invalid_blocks_format"},
	} {
		got := call(t, s, c.method, c.kind, c.header, c.body)
		if code, _ := got["error"].(string); code != c.want || got["ok"] != (c.want == "") {
			t.Errorf("%s: answer %v, want error %q", name, got, c.want)
		}
	}
}

func TestWebAPI_AuthTestAndScopes(t *testing.T) {
	s := start(t)
	api := client(s)
	who := must[*slack.AuthTestResponse](t)(api.AuthTest())
	if who.UserID != bot || who.BotID == "" || who.TeamID != "T0LOCAL" {
		t.Errorf("auth.test = %+v", who)
	}
	if got := who.Header.Get("X-OAuth-Scopes"); !strings.Contains(got, "chat:write") {
		t.Errorf("X-OAuth-Scopes = %q, want the token's scopes", got)
	}
	s.SetScopes("commands", "channels:read")
	_, _, err := api.PostMessage(team, slack.MsgOptionText("hello", false))
	wantError(t, err, "missing_scope")
	_, err = api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: secret})
	wantError(t, err, "missing_scope")
	if _, err = api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: team}); err != nil {
		t.Errorf("conversations.info of a public channel with channels:read: %v", err)
	}
	calls := s.CallsTo("chat.postMessage")
	if len(calls) != 1 || calls[0].Args["channel"] != team || calls[0].Error != "missing_scope" || !calls[0].Done {
		t.Errorf("recorded calls = %+v", calls)
	}
	if _, kept := calls[0].Args["token"]; kept {
		t.Error("the record keeps the token")
	}
}

func TestWebAPI_Channels(t *testing.T) {
	s := start(t)
	api := client(s)
	info := func(id string) *slack.Channel {
		t.Helper()
		return must[*slack.Channel](t)(api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: id, IncludeNumMembers: true}))
	}
	if c := info(team); !c.IsMember || c.IsPrivate || c.IsExtShared || c.NumMembers != 3 || c.Name != "team" {
		t.Errorf("team = %+v", c)
	}
	if c := info(other); c.IsMember {
		t.Error("other: the bot is said to be a member")
	}
	if c := info(secret); !c.IsPrivate {
		t.Error("secret is said to be public")
	}
	_, err := api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: hidden})
	wantError(t, err, "channel_not_found")
	s.SetChannel(localslack.Channel{ID: team, Name: "team", Members: []string{ana, lena, bot}, Shared: true})
	if c := info(team); !c.IsExtShared || !c.IsShared {
		t.Errorf("a channel that became shared says %+v", c)
	}
	var all []string
	params := &slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}, Limit: 1}
	for {
		part, next, err := api.GetConversations(params)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range part {
			all = append(all, c.ID)
		}
		if params.Cursor = next; next == "" {
			break
		}
	}
	if want := []string{team, secret, other}; !slices.Equal(all, want) {
		t.Errorf("conversations.list, page by page = %v, want %v", all, want)
	}
	members, next, err := api.GetUsersInConversation(&slack.GetUsersInConversationParameters{ChannelID: team, Limit: 2})
	if err != nil || len(members) != 2 || next == "" {
		t.Errorf("members = %v, %q, %v; want a first page of two", members, next, err)
	}
}

func TestWebAPI_People(t *testing.T) {
	s := start(t)
	api := client(s)
	for id, want := range map[string]slack.User{
		ana:        {},
		"U4GUEST":  {IsRestricted: true},
		"U5SINGLE": {IsRestricted: true, IsUltraRestricted: true},
		"U6GONE":   {Deleted: true},
		"U7FAR":    {IsStranger: true},
		bot:        {IsBot: true},
	} {
		u := must[*slack.User](t)(api.GetUserInfo(id))
		if u.IsRestricted != want.IsRestricted || u.IsUltraRestricted != want.IsUltraRestricted || u.Deleted != want.Deleted ||
			u.IsStranger != want.IsStranger || u.IsBot != want.IsBot {
			t.Errorf("users.info of %s = %+v", id, u)
		}
	}
	if u := must[*slack.User](t)(api.GetUserInfo("U7FAR")); u.TeamID != "T9" {
		t.Errorf("team of a stranger = %q, want T9", u.TeamID)
	}
	_, err := api.GetUserInfo("U99")
	wantError(t, err, "user_not_found")
	if all := must[[]slack.User](t)(api.GetUsers()); len(all) != 8 {
		t.Errorf("users.list has %d, want 8 with the bot", len(all))
	}
	b, err := api.GetBotInfo(slack.GetBotInfoParameters{})
	if err != nil || b.UserID != bot {
		t.Errorf("bots.info = %+v, %v", b, err)
	}
}

func TestWebAPI_UserGroups(t *testing.T) {
	s := start(t)
	api := client(s)
	got := must[[]string](t)(api.GetUserGroupMembers("S1LEADS"))
	if !slices.Equal(got, []string{lena}) {
		t.Errorf("members of the group = %v, want lena", got)
	}
	_, err := api.GetUserGroupMembers("S9")
	wantError(t, err, "no_such_subteam")
	s.SetGroup(localslack.UserGroup{ID: "S1LEADS", Handle: "leads", Members: []string{lena}, Disabled: true})
	_, err = api.GetUserGroupMembers("S1LEADS")
	wantError(t, err, "no_such_subteam")
	groups := must[[]slack.UserGroup](t)(api.GetUserGroups(slack.GetUserGroupsOptionIncludeDisabled(true), slack.GetUserGroupsOptionIncludeUsers(true)))
	if len(groups) != 1 || groups[0].DateDelete == 0 || !slices.Equal(groups[0].Users, []string{lena}) {
		t.Errorf("usergroups.list = %+v", groups)
	}
}

func TestRateLimits(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, localslack.WithRateLimits(), localslack.WithNow(func() time.Time { return now }))
	api := client(s)
	for i := range 20 {
		if _, err := api.GetUserGroupMembers("S1LEADS"); err != nil {
			t.Fatalf("call %d of a tier 2 method: %v", i+1, err)
		}
	}
	_, err := api.GetUserGroupMembers("S1LEADS")
	limited, ok := err.(*slack.RateLimitedError)
	if !ok || limited.RetryAfter != time.Minute {
		t.Fatalf("call 21 = %v, want to retry after a minute", err)
	}
	now = now.Add(time.Minute)
	if _, err := api.GetUserGroupMembers("S1LEADS"); err != nil {
		t.Errorf("after the minute: %v", err)
	}
	for range 5 {
		post(t, api, team, slack.MsgOptionText("burst", false))
	}
	if _, _, err = api.PostMessage(team, slack.MsgOptionText("more", false)); err == nil {
		t.Error("a sixth message at once passes, want 429")
	}
	if _, _, err = api.PostMessage(secret, slack.MsgOptionText("elsewhere", false)); err != nil {
		t.Errorf("another channel is limited too: %v", err)
	}
}

func TestFiles(t *testing.T) {
	s := start(t)
	api := client(s)
	top := post(t, api, team, slack.MsgOptionText("the thread", false))
	f := must[*slack.FileSummary](t)(api.UploadFile(slack.UploadFileParameters{
		Content: "line one\nline two", FileSize: 17, Filename: "output.txt", Title: "Output",
		Channel: team, ThreadTimestamp: top, InitialComment: "what it said",
	}))
	replies := s.Replies(team, top)
	if len(replies) != 1 || replies[0].Text != "what it said" || len(replies[0].Files) != 1 {
		t.Fatalf("replies = %+v, want one with a file", replies)
	}
	if got := replies[0].Files[0]; string(got.Content) != "line one\nline two" || got.Title != "Output" || got.ID != f.ID {
		t.Errorf("file = %+v", got)
	}
	_, err := api.UploadFile(slack.UploadFileParameters{Content: "short", FileSize: 17, Filename: "x.txt", Channel: team})
	if err == nil {
		t.Error("a file shorter than announced is taken")
	}
	res := must[*http.Response](t)(http.Post(s.URL()+"/upload/guess", "text/plain", strings.NewReader("x")))
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode == http.StatusOK {
		t.Errorf("an upload to a guessed URL is taken: %s", body)
	}
}
