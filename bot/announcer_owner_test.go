package bot_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// endedRollback is one that has replaced something, whose follow-up is somebody's.
func endedRollback(t *testing.T, id, owner string) runbook.Rollback {
	t.Helper()
	rb := spokenRollback(t, id)
	for _, fact := range []runbook.Fact{
		runbook.CommandStarted{Host: "deploy@one", Step: runbook.StepDeploy, Job: "up", Command: "up"},
		runbook.Ended{Outcome: runbook.Succeeded, Why: "all is well"},
		runbook.OwnerAsked{Owner: owner, RemindAt: time.Now().Add(time.Hour), TellAt: time.Now().Add(2 * time.Hour)},
	} {
		next, err := rb.Apply(runbook.Event{App: "shop", Rollback: id, Seq: rb.Seq + 1, At: time.Now(), Fact: fact})
		if err != nil {
			t.Fatal(err)
		}
		rb = next
	}
	return rb
}

func ownerNotice(rb runbook.Rollback, record runbook.Post) runbook.Notice {
	return runbook.Notice{Key: "owner-1", Kind: runbook.NoticeOwner, Asking: 1, To: rb.Owner(), Rollback: rb, Thread: record}
}

// loseFirst loses the answer to the first call of a method, after Slack has done it.
func (g *stage) loseFirst(method string) {
	var calls atomic.Int32
	g.Fault(func(call localslack.Call) *localslack.Fault {
		if call.Method == method && calls.Add(1) == 1 {
			return &localslack.Fault{LoseAnswer: true}
		}
		return nil
	})
}

func TestAnnouncer_AsksTheOwnerPrivatelyAndOnce(t *testing.T) {
	g := newStage(t)
	rb := endedRollback(t, "rb-mine", speakPerson)
	record := g.post(noticesOf(rb, runbook.Post{})[3])
	n := ownerNotice(rb, record)
	started := time.Now()
	if _, found, err := g.announcer.Find(t.Context(), n, started); found || err != nil {
		t.Fatalf("before it was posted: %t, %v", found, err)
	}
	g.loseFirst("chat.postMessage")
	if at, err := g.announcer.Post(t.Context(), n); err == nil {
		t.Fatalf("posted as %+v although the answer was lost", at)
	}
	at, found, err := g.announcer.Find(t.Context(), n, started)
	if err != nil || !found {
		t.Fatalf("found %t, %v", found, err)
	}
	if err := g.announcer.Update(t.Context(), at, n); err != nil {
		t.Error(err)
	}
	direct := g.Snapshot().Direct(speakPerson)
	if len(direct) != 1 || direct[0].TS != at.TS || !direct[0].Edited || len(g.Replies(speakChannel, record.TS)) != 0 {
		t.Errorf("the private messages are %+v", direct)
	}
	other := ownerNotice(endedRollback(t, "rb-other", speakPerson), record)
	if _, found, err := g.announcer.Find(t.Context(), other, started); found || err != nil {
		t.Errorf("of another rollback: %t, %v", found, err)
	}
}

// Somebody who can't be written to is asked where everybody sees it, once.
func TestAnnouncer_AsksInTheThreadWhomItCanNotReach(t *testing.T) {
	g := newStage(t)
	rb := endedRollback(t, "rb-mine", "U9GONE")
	record := g.post(noticesOf(rb, runbook.Post{})[3])
	n := ownerNotice(rb, record)
	at := g.post(n)
	replies := g.Replies(speakChannel, record.TS)
	if len(replies) != 1 || replies[0].TS != at.TS || !strings.Contains(string(replies[0].Blocks), `"accept_owner"`) {
		t.Errorf("the thread has %+v", replies)
	}
	if got, found, err := g.announcer.Find(t.Context(), n, time.Now()); err != nil || !found || got != at {
		t.Errorf("found %+v, %t, %v; want %+v", got, found, err, at)
	}
}

func TestAnnouncer_PutsThePostmortemIntoTheThreadOnce(t *testing.T) {
	g := newStage(t)
	rb := endedRollback(t, "rb-mine", speakPerson)
	record := g.post(noticesOf(rb, runbook.Post{})[3])
	n := runbook.Notice{Key: "postmortem", Kind: runbook.NoticePostmortem, Rollback: rb, Thread: record, Text: "## What broke\n"}
	g.loseFirst("files.completeUploadExternal")
	if at, err := g.announcer.Post(t.Context(), n); err == nil {
		t.Fatalf("posted as %+v although the answer was lost", at)
	}
	// A moment after, the file may not be shown yet: nobody may say that it isn't there.
	var retry *runbook.RetryError
	if _, found, err := g.announcer.Find(t.Context(), n, time.Now()); found || !errors.As(err, &retry) {
		t.Errorf("a moment after: %t, %v", found, err)
	}
	long := time.Now().Add(-time.Minute)
	if _, found, err := g.announcer.Find(t.Context(), n, long); !found || err != nil {
		t.Errorf("later: %t, %v", found, err)
	}
	other := n
	other.Rollback = endedRollback(t, "rb-other", speakPerson)
	if _, found, err := g.announcer.Find(t.Context(), other, long); found || err != nil {
		t.Errorf("of another rollback: %t, %v", found, err)
	}
	replies := g.Replies(speakChannel, record.TS)
	if len(replies) != 1 || len(replies[0].Files) != 1 || replies[0].Files[0].Name != "postmortem-rb-mine.md" || string(replies[0].Files[0].Content) != n.Text {
		t.Errorf("the thread has %+v", replies)
	}
}

// A question to one person alone is not put anywhere else where they can't be written to: the channel has it.
func TestAnnouncer_AsksNobodyElseInTheirStead(t *testing.T) {
	g := newStage(t)
	rb := spokenRollback(t, "rb-mine")
	request := g.post(noticesOf(rb, runbook.Post{})[0])
	started := time.Now()
	n := runbook.Notice{Key: "asked-1-U9GONE", Kind: runbook.NoticeAsked, Question: 1, To: "U9GONE", Rollback: rb, Thread: request}
	if at, err := g.announcer.Post(t.Context(), n); !errors.Is(err, runbook.ErrUnreachable) {
		t.Errorf("posted as %+v, %v", at, err)
	}
	if at, found, err := g.announcer.Find(t.Context(), n, started); found || err != nil {
		t.Errorf("found %+v, %t, %v", at, found, err)
	}
	if replies := g.Replies(speakChannel, request.TS); len(replies) != 0 {
		t.Errorf("the thread has %+v", replies)
	}
	n.To, n.Key = speakPerson, "asked-1-"+speakPerson
	g.loseFirst("chat.postMessage")
	if at, err := g.announcer.Post(t.Context(), n); err == nil {
		t.Fatalf("posted as %+v although the answer was lost", at)
	}
	at, found, err := g.announcer.Find(t.Context(), n, started)
	if direct := g.Snapshot().Direct(speakPerson); err != nil || !found || len(direct) != 1 || direct[0].TS != at.TS {
		t.Errorf("found %+v, %t, %v; the private messages are %+v", at, found, err, direct)
	}
	if !strings.Contains(g.Snapshot().Direct(speakPerson)[0].Text, "/archives/"+speakChannel+"/p") {
		t.Error("it doesn't lead to the channel's message")
	}
}
