package bot_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// judged is a notice of a rollback whose error rate was judged.
func judged(t *testing.T, thread runbook.Post) runbook.Notice {
	t.Helper()
	rb := spokenRollback(t, "rb-judged12")
	run := runbook.StepRun{Step: runbook.StepErrorRate, Attempt: 1, StepOutcome: runbook.StepOutcome{Verdict: runbook.Passed, Rate: &runbook.RateJudgement{
		Verdict: runbook.RateBack, Median: 0.002, Readings: 13, Span: time.Minute, Limit: 0.01, Floor: 0.01, Curve: []runbook.Sample{{At: time.Now(), Rate: 0.002}},
	}}}
	return runbook.Notice{Key: "error-rate-1", Kind: runbook.NoticeErrorRate, Rollback: rb, Judged: run, Thread: thread}
}

// drawing draws the least that is a picture.
func drawing(runbook.Rollback, runbook.StepRun) ([]byte, string, error) {
	return []byte("\x89PNG\r\n\x1a\n"), "the curve in words", nil
}

func (g *stage) drawingWith(draw func(runbook.Rollback, runbook.StepRun) ([]byte, string, error)) *bot.Announcer {
	return bot.NewAnnouncer(g.api, bot.AnnouncerConfig{Channel: speakChannel, ErrorRate: draw}, zerolog.New(g.log))
}

// postsRate posts a judgement into a thread and gives the thread's only message.
func (g *stage) postsRate(a *bot.Announcer) localslack.Message {
	g.t.Helper()
	rb := spokenRollback(g.t, "rb-judged12")
	request, err := a.Post(g.t.Context(), runbook.Notice{Key: "request", Kind: runbook.NoticeRequest, Rollback: rb})
	if err != nil {
		g.t.Fatal(err)
	}
	n := judged(g.t, request)
	at, err := a.Post(g.t.Context(), n)
	if err != nil {
		g.t.Fatal(err)
	}
	found, ok, err := a.Find(g.t.Context(), n, time.Now().Add(-time.Minute))
	if err != nil || !ok || found != at {
		g.t.Errorf("found %+v, %t, %v; want %+v", found, ok, err, at)
	}
	replies := g.Snapshot().Replies(speakChannel, request.TS)
	if len(replies) != 1 {
		g.t.Fatalf("the thread has %d messages, want 1", len(replies))
	}
	if !strings.Contains(replies[0].Text, "the median of the last minute is 0.2 %") && !strings.Contains(replies[0].Text, "The median of the last minute is 0.2 %") {
		g.t.Errorf("the message doesn't say the value in words: %s", replies[0].Text)
	}
	return replies[0]
}

func TestPicture_IsInTheMessageWithTheValues(t *testing.T) {
	g := newStage(t)
	m := g.postsRate(g.drawingWith(drawing))
	if blocks := string(m.Blocks); !strings.Contains(blocks, `"slack_file"`) || !strings.Contains(blocks, "the curve in words") {
		t.Errorf("the blocks lack the picture or its alt text: %s", blocks)
	}
}

// A picture is a decoration: whatever goes wrong with it, the thread has the values in words, once.
func TestPicture_WithoutItTheValuesAreSaid(t *testing.T) {
	for _, method := range []string{"files.getUploadURLExternal", "upload", "files.completeUploadExternal"} {
		for name, fault := range map[string]localslack.Fault{
			"refused": {Error: "missing_scope"}, "500": {Status: 500}, "reset": {Reset: true}, "lost": {LoseAnswer: true}, "429": {RetryAfter: 30},
		} {
			t.Run(method+"/"+name, func(t *testing.T) {
				g := newStage(t)
				g.Fault(func(c localslack.Call) *localslack.Fault {
					if c.Method == method {
						return &fault
					}
					return nil
				})
				if m := g.postsRate(g.drawingWith(drawing)); strings.Contains(string(m.Blocks), "slack_file") {
					t.Errorf("there is a picture: %s", m.Blocks)
				}
				if log := g.log.String(); !strings.Contains(log, "the picture could not be uploaded") || strings.Contains(log, "/upload/") {
					t.Errorf("the log says nothing of it, or the upload's address: %s", log)
				}
			})
		}
	}
	for name, draw := range map[string]func(runbook.Rollback, runbook.StepRun) ([]byte, string, error){
		"not drawn": func(runbook.Rollback, runbook.StepRun) ([]byte, string, error) { return nil, "", errors.New("no font") },
		"panics":    func(runbook.Rollback, runbook.StepRun) ([]byte, string, error) { panic("index out of range") },
		"empty":     func(runbook.Rollback, runbook.StepRun) ([]byte, string, error) { return nil, "", nil },
		"no png":    func(runbook.Rollback, runbook.StepRun) ([]byte, string, error) { return []byte("%PDF-1.7"), "x", nil },
		"none":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			g := newStage(t)
			if m := g.postsRate(g.drawingWith(draw)); strings.Contains(string(m.Blocks), "slack_file") {
				t.Errorf("there is a picture: %s", m.Blocks)
			}
		})
	}
}

// Slack reads an upload in the background: until it has, it refuses the message.
func TestPicture_ThatSlackHasNotReadYet(t *testing.T) {
	g := newStage(t)
	refusals := 0
	g.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "chat.postMessage" && strings.Contains(c.Args["blocks"], "slack_file") && refusals < 2 {
			refusals++
			return &localslack.Fault{Error: "invalid_blocks"}
		}
		return nil
	})
	if m := g.postsRate(g.drawingWith(drawing)); !strings.Contains(string(m.Blocks), "slack_file") || refusals != 2 {
		t.Errorf("after %d refusals there is no picture: %s", refusals, m.Blocks)
	}
}
