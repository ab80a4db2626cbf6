package bot_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rollbackbot/bot"
	"rollbackbot/runbook"
)

// However much is wrong, the answer has the worst of it, says that there is more, and fits into Slack's sections.
func TestCheckupMessage_Fits(t *testing.T) {
	findings := []runbook.Finding{runbook.NotChecked("observer", "unseen")}
	for range 40 {
		findings = append(findings, runbook.FoundWrong("host", strings.Repeat("mend & ", 100), "%s", strings.Repeat("<!channel> ", 100)))
	}
	text, err := json.Marshal(bot.CheckupMessage(findings))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Something would not work", "There is more"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the answer lacks %q: %s", part, text)
		}
	}
	if strings.Contains(string(text), "<!channel>") {
		t.Error("what was seen on a host calls the whole channel")
	}
	if sound, _ := json.Marshal(bot.CheckupMessage(findings[:1])); !strings.Contains(string(sound), "not checked: observer: unseen") {
		t.Errorf("what was not seen is not told: %s", sound)
	}
}
