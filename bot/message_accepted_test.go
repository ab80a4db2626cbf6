package bot

import (
	"maps"
	"testing"

	"github.com/slack-go/slack"

	"rollbackbot/internal/localslack"
)

// Every message, the largest and most hostile ones too, is taken by a Slack that checks blocks and texts as Slack does:
// when it is posted, and when it replaces another one.
func TestMessages_AreTakenBySlack(t *testing.T) {
	s := localslack.New(localslack.Workspace{BotToken: "xoxb-test", Channels: []localslack.Channel{{ID: "C1", Name: "team", Members: []string{"U0BOT"}}}})
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	api := NewClient("xoxb-test", "xapp-test", s.APIURL())
	_, ts, err := api.PostMessage("C1", slack.MsgOptionText("first", false))
	if err != nil {
		t.Fatal(err)
	}
	all := goldenMessages(t)
	maps.Copy(all, hugeMessages(t))
	picture, err := api.UploadFile(slack.UploadFileParameters{Filename: "curve.png", FileSize: 8, Content: "\x89PNG\r\n\x1a\n"})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range all {
		for _, block := range m.Blocks {
			if image, ok := block.(*slack.ImageBlock); ok {
				image.SlackFile.ID = picture.ID
			}
		}
		if _, _, err := api.PostMessage("C1", content(m)...); err != nil {
			t.Errorf("post %s: %v", name, err)
		}
		if _, _, _, err := api.UpdateMessage("C1", ts, content(m)...); err != nil {
			t.Errorf("update to %s: %v", name, err)
		}
	}
}
