package main_test

import (
	"os/exec"
	"strings"
	"sync"
	"testing"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/realhost"
)

// TestRegistry_Down: nobody can say whether images that are nowhere can be had while the registry is down. The plan says
// so, the fetch beside the question shows it, and a lead who goes on all the same changes nothing. Images that the host
// has are all that a rollback needs.
func TestRegistry_Down(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.brokenRelease(t)
	before := w.stack.Containers(t)
	wanted := refs(w.stack.Images("v1"))
	realhost.RemoveFromHost(t, wanted...)
	w.registry.Stop(t)
	bot := w.serve(t, nil)
	w.connected(t)

	w.types(t, onCall, "/rollback "+w.app+" to v1 because v2 answers 503")
	api := w.stack.Images("v1")["api"]
	status, stdout, stderr := w.run(t, "plan", w.app, "--to", "v1")
	if status != 0 || !strings.Contains(stdout, api+" is not on this host, and only the fetch will tell whether it can be had") {
		t.Errorf("plan ends with status %d: %s%s", status, stdout, withoutLog(stderr))
	}
	request, _ := w.request(t, 1)
	w.await(t, "that the missing images could not be fetched", func(now *localslack.Snapshot) bool {
		m, _ := now.Message(channel, request.TS)
		return strings.Contains(string(m.Blocks), "could not fetch its missing images")
	})
	w.clicks(t, lead, request.TS, "signoff_in_place")
	question := w.question(t, request.TS, "retry")
	if got := w.stack.Containers(t); !equalContainers(got, before) {
		t.Errorf("something changed: %+v, was %+v", got, before)
	}

	w.registry.Start(t)
	for _, ref := range wanted {
		if out, err := exec.Command("docker", "pull", "--quiet", ref).CombinedOutput(); err != nil {
			t.Fatalf("docker pull: %v\n%s", err, out)
		}
	}
	w.registry.Stop(t)
	w.clicks(t, onCall, question, "retry")
	w.finish(t, 1)
	w.runs(t, "v1")
	w.untouched(t, before)
	w.oneRecord(t, 1)
	bot.stop(t)
}

// TestSlack_Unwell: answers of Slack get lost, and it wants fewer calls, all through a rollback. Every message is there
// once in the end.
func TestSlack_Unwell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.brokenRelease(t)
	before := w.stack.Containers(t)
	ill := &unwell{calls: map[string]int{}}
	w.slack.Fault(ill.decide)
	bot := w.serve(t, nil)
	w.insist(t, 1, "/rollback "+w.app+" to v1 because v2 answers 503", func() {})
	w.said(t, 1, func() {})
	w.runs(t, "v1")
	w.untouched(t, before)
	w.oneRecord(t, 1)
	request, _ := w.request(t, 1)
	titles := map[string]int{}
	for _, reply := range w.slack.Replies(channel, request.TS) {
		title, _, _ := strings.Cut(reply.Text, "\n")
		titles[title]++
	}
	for title, n := range titles {
		if n > 1 {
			t.Errorf("%q is there %d times:\n%s", title, n, w.transcript())
		}
	}
	if ill.lost == 0 || ill.limited == 0 || ill.failed == 0 {
		t.Errorf("%d answers were lost, %d calls limited, %d failed: want some of each", ill.lost, ill.limited, ill.failed)
	}
	bot.stop(t)
}

// unwell is a Slack in trouble.
type unwell struct {
	mu                    sync.Mutex
	calls                 map[string]int
	lost, limited, failed int
}

// decide lets every third call of what the bot says in public pass. The answers that are lost are the worst: the
// message is there, and nobody has told the bot so.
func (u *unwell) decide(call localslack.Call) *localslack.Fault {
	if call.Method != "chat.postMessage" && call.Method != "chat.update" {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls[call.Method]++
	switch u.calls[call.Method] % 4 {
	case 1:
		u.lost++
		return &localslack.Fault{LoseAnswer: true}
	case 2:
		u.limited++
		return &localslack.Fault{RetryAfter: 1}
	case 3:
		u.failed++
		return &localslack.Fault{Status: 503}
	}
	return nil
}
