package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// methods are all that the bot asks of Slack, each with the call of slack-go that does it.
var methods = []struct{ name, call string }{
	{"apps.connections.open", "StartSocketModeContext"},
	{"auth.test", "AuthTestContext"},
	{"chat.getPermalink", "GetPermalinkContext"},
	{"chat.postEphemeral", "PostEphemeralContext"},
	{"chat.postMessage", "PostMessageContext"},
	{"chat.update", "UpdateMessageContext"},
	{"conversations.history", "GetConversationHistoryContext"},
	{"conversations.info", "GetConversationInfoContext"},
	{"conversations.members", "GetUsersInConversationContext"},
	{"conversations.open", "OpenConversationContext"},
	{"conversations.replies", "GetConversationRepliesContext"},
	{"files.completeUploadExternal", "CompleteUploadExternalContext"},
	{"files.getUploadURLExternal", "GetUploadURLExternalContext"},
	{"response_url", "PostMessageContext"},
	{"upload", "UploadToURL"},
	{"usergroups.users.list", "GetUserGroupMembersContext"},
	{"users.info", "GetUserInfoContext"},
	{"views.open", "OpenViewContext"},
	{"views.publish", "PublishViewContext"},
	{"views.update", "UpdateViewContext"},
}

// faults are how each of them goes wrong.
var faults = []struct {
	name  string
	fault localslack.Fault
}{
	{"429", localslack.Fault{RetryAfter: 7}},
	{"500", localslack.Fault{Status: 500}},
	{"hang", localslack.Fault{Hang: true}},
	{"reset", localslack.Fault{Reset: true}},
	{"lost", localslack.Fault{LoseAnswer: true}},
}

// illness is a Slack in which one method goes wrong every other time, beginning with the first; a message has its own
// count. Beside it, the answer to each first post is lost, so that messages have to be looked for, and every other
// answer by a response_url fails, so that people have to be reached in another way.
type illness struct {
	method string
	fault  localslack.Fault

	mu      sync.Mutex
	counts  map[string]int
	spoiled int
}

func (i *illness) decide(c localslack.Call) *localslack.Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	message := c.Args["metadata"]
	i.counts[c.Method+message]++
	odd := i.counts[c.Method+message]%2 == 1
	switch {
	case c.Method == i.method && odd:
		i.spoiled++
		return &i.fault
	case c.Method == i.method:
		return nil
	case c.Method == "chat.postMessage" && message != "" && odd:
		return &localslack.Fault{LoseAnswer: true}
	case c.Method == "response_url" && odd:
		return &localslack.Fault{Status: 500}
	}
	return nil
}

// TestSlack_EveryMethodFails goes through a rollback with every method failing in every way: there is one record, no
// question is lost, nobody who was heard waits in silence, and what runs is what was planned. Under the race detector every
// method fails in one way, each in the next one's turn.
func TestSlack_EveryMethodFails(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	called := map[string]bool{}
	rollbacks, spoiled := 0, 0
	spoil := func(t *testing.T, method string, fault localslack.Fault) {
		t.Parallel()
		parts.Turn(t) // time costs nothing in its bubble, and the processor is at work all the time
		ill := &illness{method: method, fault: fault, counts: map[string]int{}}
		inBed(t, ill.decide, func(b *sickbed) {
			b.rollsBack(method == "views.open")
			b.wantOneOfEach()
			mu.Lock()
			defer mu.Unlock()
			for _, c := range b.slack.Calls() {
				called[c.Method] = true
			}
		})
		if ill.spoiled == 0 {
			t.Error("it never failed: the rollback didn't use it")
		}
		mu.Lock()
		defer mu.Unlock()
		rollbacks, spoiled = rollbacks+1, spoiled+ill.spoiled
	}
	t.Run("all", func(t *testing.T) { // ends when every one of them has
		for i, method := range methods {
			for j, f := range faults {
				if underRace && j != i%len(faults) {
					continue
				}
				t.Run(method.name+"/"+f.name, func(t *testing.T) { spoil(t, method.name, f.fault) })
			}
		}
	})
	known := map[string]bool{}
	for _, m := range methods {
		known[m.name] = true
	}
	if !maps.Equal(called, known) && !t.Failed() {
		t.Errorf("the bot called %v, and this test spoils %v", slices.Sorted(maps.Keys(called)), slices.Sorted(maps.Keys(known)))
	}
	t.Logf("%d methods x %d faults: %d rollbacks, %d calls spoiled; one record each, no question lost", len(methods), len(faults), rollbacks, spoiled)
}

// rollsBack plays a rollback in which everything that the bot can do in Slack is done once.
func (b *sickbed) rollsBack(formless bool) {
	b.Helper()
	b.connected(b)
	b.opensForm(formless)
	b.opensHome()
	request := b.asks()
	told := len(b.slack.Private(nobody))
	b.says(nobody, "presses what isn't theirs", func() error {
		_, err := b.slack.Click(b.Context(), nobody, channel, request.TS, string(runbook.SignoffInPlace))
		return err
	}, func(now *localslack.Snapshot) bool { return len(now.Private(nobody)) > told })
	b.presses(lead, request.TS, string(runbook.SignoffInPlace))
	b.question(b, request.TS, string(runbook.ErrorRateBaseline))
	b.presses(onCall, request.TS, string(runbook.ErrorRateBaseline))
	b.ends()
	time.Sleep(time.Minute) // whatever would come twice
}

// opensForm has somebody type the command alone. Where the form may fail they are told what else to type.
func (b *sickbed) opensForm(mayFail bool) {
	b.Helper()
	told := len(b.slack.Private(onCall))
	b.types(onCall, "/rollback", func(now *localslack.Snapshot) bool {
		_, open := now.OpenView(onCall)
		return open || mayFail && len(now.Private(onCall)) > told
	})
	if v, open := b.slack.OpenView(onCall); open {
		if _, err := b.slack.Cancel(b.Context(), onCall, v.ID); err != nil {
			b.Error(err)
		}
	}
}

// opensHome has somebody open the Home tab, which shows in the end how the app stands, or that they have to open it again
// because it could not be read who they are.
func (b *sickbed) opensHome() {
	b.Helper()
	b.says(onCall, "opens the Home tab", func() error {
		_, err := b.slack.OpenHome(b.Context(), onCall)
		return err
	}, func(now *localslack.Snapshot) bool {
		home, ok := now.Home(onCall)
		return ok && (strings.Contains(string(home.Blocks), b.app.Name) || strings.Contains(string(home.Blocks), "Open this tab again"))
	})
}

// worksOff waits until the bot has dealt with all that was said to it.
func (b *sickbed) worksOff() {
	b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		pending, err := b.store.Pending(b.Context())
		if err == nil && len(pending) == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.Errorf("the inbox still has %d deliveries (%v)", len(pending), err)
			return
		}
	}
}

// wantOneOfEach fails the test unless every message of the one rollback is in the channel once, the last state shows,
// nothing that was said is left, and the containers were replaced once.
func (b *sickbed) wantOneOfEach() {
	b.Helper()
	b.worksOff()
	now := b.slack.Snapshot()
	counts := map[string]int{}
	for _, top := range now.Messages(channel) {
		for _, m := range append(now.Replies(channel, top.TS), top) {
			if m.Metadata != nil {
				name, _, _ := strings.Cut(keyOf(m), "-")
				counts[name]++
			}
		}
	}
	want := map[string]int{"rollback_request": 1, "plan": 1, "question": 1, "error": 1, "rollback_record": 1}
	if !maps.Equal(counts, want) {
		b.Errorf("the channel has %v, want %v\n%s", counts, want, b.transcript())
	}
	for _, action := range []runbook.Answer{runbook.SignoffInPlace, runbook.ErrorRateBaseline, runbook.Abort, runbook.Retry} {
		if _, open := button(now, ofKind(now, "rollback_request")[0].TS, string(action)); open {
			b.Errorf("the button %s is still there", action)
		}
	}
	facts := map[string]int{}
	for _, e := range b.events() {
		facts[e.Fact.Kind()]++
		if ended, is := e.Fact.(runbook.Ended); is && ended.Outcome != runbook.Succeeded {
			b.Errorf("it ended as %s: %s", ended.Outcome, ended.Why)
		}
	}
	for _, kind := range []string{runbook.Requested{}.Kind(), runbook.Ended{}.Kind(), runbook.Published{}.Kind()} {
		if facts[kind] != 1 {
			b.Errorf("the journal has %d of %s, want one", facts[kind], kind)
		}
	}
	if ups := len(b.host.UpsRun()); ups != 1 {
		b.Errorf("containers were replaced %d times, want once", ups)
	}
}

// keyOf is what makes a message the one that it is.
func keyOf(m localslack.Message) string {
	if m.Metadata.EventType != "rollback_notice" {
		return m.Metadata.EventType
	}
	_, key, _ := strings.Cut(string(m.Metadata.Payload), `"key":"`)
	key, _, _ = strings.Cut(key, `"`)
	return key
}

// TestSlack_RollbackDoesNotWait: while everything that the bot says in Slack hangs, the rollback goes on as it would.
func TestSlack_RollbackDoesNotWait(t *testing.T) {
	t.Parallel()
	well := timeToHealth(t, func(string) bool { return false })
	unwell := timeToHealth(t, func(method string) bool {
		return strings.HasPrefix(method, "chat.") || strings.HasPrefix(method, "conversations.") || method == "response_url"
	})
	if unwell > well+time.Second {
		t.Errorf("from the sign-off to proven healthy it took %s with a Slack that hangs, and %s with one that is well", unwell, well)
	}
	t.Logf("from the sign-off to proven healthy: %s with a Slack that hangs, %s with one that is well", unwell, well)
}

// timeToHealth plays a rollback in which methods hang from the sign-off on until the error rate is asked about, and gives
// how long it took from the sign-off until health was proven.
func timeToHealth(t *testing.T, hangs func(method string) bool) (took time.Duration) {
	t.Helper()
	var mu sync.Mutex
	hanging := false
	hang := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		hanging = on
	}
	inBed(t, func(c localslack.Call) *localslack.Fault {
		mu.Lock()
		defer mu.Unlock()
		if hanging && hangs(c.Method) {
			return &localslack.Fault{Hang: true}
		}
		return nil
	}, func(b *sickbed) {
		b.connected(b)
		request := b.asks()
		time.Sleep(time.Minute)
		if _, err := b.slack.Click(b.Context(), lead, channel, request.TS, string(runbook.SignoffInPlace)); err != nil {
			b.Fatal(err)
		}
		signed := b.until("the sign-off", func(f runbook.Fact) bool { _, is := f.(runbook.Answered); return is })
		hang(true)
		healthy := b.until("proven health", func(f runbook.Fact) bool {
			finished, is := f.(runbook.StepFinished)
			return is && finished.Step == runbook.StepHealth && finished.Outcome.Verdict == runbook.Passed
		})
		b.until("the question", func(f runbook.Fact) bool { _, is := f.(runbook.Asked); return is })
		took = healthy.Sub(signed)
		hang(false)
		b.question(b, request.TS, string(runbook.ErrorRateBaseline))
		b.presses(onCall, request.TS, string(runbook.ErrorRateBaseline))
		b.ends()
		b.wantOneOfEach()
	})
	return took
}

// until waits for an event, and gives when it was.
func (b *sickbed) until(what string, holds func(runbook.Fact) bool) time.Time {
	b.Helper()
	for range 6000 {
		if at, ok := b.happened(holds); ok {
			return at
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatalf("waited in vain for %s\n%s", what, b.transcript())
	return time.Time{}
}

// TestMethods_AreAllOfThem: what bot calls of slack-go is what the table above has, so that a call that is added is
// spoiled as well.
func TestMethods_AreAllOfThem(t *testing.T) {
	files, err := filepath.Glob("../../bot/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of bot: %v", err)
	}
	client := reflect.TypeFor[*slack.Client]()
	used := map[string]bool{}
	for _, file := range files {
		// choices.go is init's, before there is a bot: its own tests spoil what it calls.
		if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "choices.go" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if selector, is := n.(*ast.SelectorExpr); is && strings.EqualFold(lastName(selector.X), "api") {
				if _, exists := client.MethodByName(selector.Sel.Name); exists {
					used[selector.Sel.Name] = true
				}
			}
			return true
		})
	}
	known := map[string]bool{}
	for _, m := range methods {
		known[m.call] = true
	}
	if !maps.Equal(used, known) {
		t.Errorf("bot calls %v, and the table of methods has %v", slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(known)))
	}
}

// lastName is x of x, a.x and a.b.x.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
