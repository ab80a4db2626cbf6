package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSecret_NeverPrints(t *testing.T) {
	s := NewSecret("hunter2")
	type outer struct {
		Open   Secret
		hidden Secret
		plain  Slack
	}
	o := outer{Open: s, hidden: s, plain: Slack{BotToken: s}}
	values := []any{s, &s, o, &o, []Secret{s}, map[string]Secret{"k": s}, setting{value: s}, fmt.Errorf("x: %v", s)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s", "%U"} {
		for i, v := range values {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, "hunter2") || strings.Contains(strings.ToLower(got), "68756e74") {
				t.Errorf("%s of value %d: %s", verb, i, got)
			}
		}
		if got := fmt.Sprintf(verb, s); got != "<secret>" {
			t.Errorf("%s: %s", verb, got)
		}
	}
	if got, err := json.Marshal(map[string]any{"s": s, "o": o}); err != nil || strings.Contains(string(got), "hunter2") || !strings.Contains(string(got), `"s":"\u003csecret\u003e"`) {
		t.Errorf("JSON: %s, %v", got, err)
	}
	if s.Reveal() != "hunter2" {
		t.Errorf("Reveal gives %q", s.Reveal())
	}
}

func TestSecret_Zero(t *testing.T) {
	var s Secret
	if !s.IsZero() || s.Reveal() != "" || fmt.Sprint(s) != "" {
		t.Errorf("got %q, %q", s.Reveal(), fmt.Sprint(s))
	}
}

func TestShow_HidesWhatLooksSecret(t *testing.T) {
	for _, text := range []string{
		"xoxb-1-a", "xoxe.xoxp-1", "xapp-1", "Xapp-1", "ghp_abc", "github_pat_1", "-----BEGIN X", "https://a:b@c", "x=postgres://a@b",
	} {
		if got := show(text); got != "<secret>" {
			t.Errorf("%s shows as %s", text, got)
		}
	}
	if got, want := show(strings.Repeat("ä", 61)), `"`+strings.Repeat("ä", 60)+`…"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := show("a\nb"); got != `"a\nb"` {
		t.Errorf("got %s", got)
	}
}
