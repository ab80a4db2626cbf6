package bot

import (
	"strings"
	"testing"

	"rollbackbot/runbook"
)

func TestValue_ThereAndBack(t *testing.T) {
	want := Value{Rollback: "rb-7q2mzk4x", Plan: strings.Repeat("a", 64), Answer: runbook.SignoffInPlace, Question: 3}
	got, err := DecodeValue(EncodeValue(want))
	if err != nil || got != want {
		t.Errorf("DecodeValue(EncodeValue) = %+v, %v; want %+v", got, err, want)
	}
	if text := EncodeValue(want); text != `{"rollback":"rb-7q2mzk4x","plan":"`+want.Plan+`","answer":"signoff_in_place","question":3}` {
		t.Errorf("EncodeValue = %s", text)
	}
}

func TestDecodeValue_Strict(t *testing.T) {
	good := EncodeValue(Value{Rollback: "rb-1", Plan: strings.Repeat("a", 64), Answer: runbook.Abort})
	for _, text := range []string{
		"", "{}", "null", "[]", good + " ", good + good, " " + good,
		strings.Replace(good, "rb-1", "xx-1", 1), strings.Replace(good, "aaaa", "AAAA", 1), strings.Replace(good, "aaaa", "aaa", 1),
		strings.Replace(good, `"abort"`, `"accept"`, 1), strings.Replace(good, `:0}`, `:-1}`, 1), strings.Replace(good, `:0}`, `:0,"x":1}`, 1),
		strings.Replace(good, `"plan"`, `"Plan"`, 1), strings.Replace(good, `:0}`, `:0,"question":1}`, 1), strings.Replace(good, `:0}`, `:0.0}`, 1),
	} {
		if v, err := DecodeValue(text); err == nil {
			t.Errorf("DecodeValue(%q) = %+v, want ErrValue", text, v)
		}
	}
}

func TestCutText_NotThroughAMention(t *testing.T) {
	for _, tail := range []string{"<@U0123456789>", "&amp;"} {
		for shift := range 20 {
			text := strings.Repeat("x", maxText-shift) + strings.Repeat(tail, 20)
			got := cutText(text)
			rest := strings.TrimLeft(strings.TrimSuffix(got, "…"), "x")
			if strings.Trim(strings.ReplaceAll(rest, tail, ""), " ") != "" {
				t.Errorf("cutText leaves a piece: %q", rest)
			}
		}
	}
}
