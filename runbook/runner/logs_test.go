package runner

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

// The failed containers' last lines are in the journal, masked, before the first of them is replaced.
func TestLogs_AreReadBeforeTheContainersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.onAll(func(s *standin.State) { s.Containers["api"][0].Log = "v2 listens\npanic: TOKEN=hunter2\n" })
		rb := w.run(goingWell)
		events := w.events()
		read := indexOf(events, "logs_read")
		replaced := slices.IndexFunc(events, func(e runbook.Event) bool {
			started, ok := e.Fact.(runbook.CommandStarted)
			return ok && started.Step == runbook.StepDeploy
		})
		if read < 0 || replaced < read || len(rb.Logs) != 2 {
			t.Fatalf("read at %d, replaced at %d; %d hosts", read, replaced, len(rb.Logs))
		}
		logs := events[read].Fact.(runbook.LogsRead)
		if len(logs.Services) != 3 || !strings.Contains(logs.Services[0].Lines, "v2 listens") || strings.Contains(logs.Services[0].Lines, "hunter2") {
			t.Errorf("read %+v", logs)
		}
		text, err := postmortem.Postmortem(events, rb.ID, postmortem.Reader{})
		if err != nil || !strings.Contains(text, "panic: TOKEN=<secret>") {
			t.Errorf("the postmortem lacks them: %v\n%s", err, text)
		}
	})
}

func indexOf(events []runbook.Event, kind string) int {
	return slices.IndexFunc(events, func(e runbook.Event) bool { return e.Fact.Kind() == kind })
}

// A host that gives no logs costs a line, and no moment of the rollback.
func TestLogs_ThatCanNotBeReadCostALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hosts["deploy@one"].Set(func(s *standin.State) { s.HangsAt["Logs"] = true })
		rb := w.run(goingWell)
		events := w.events()
		read := indexOf(events, "logs_read")
		if rb.Outcome != runbook.Succeeded || read < 0 {
			t.Fatalf("outcome %s; read at %d", rb.Outcome, read)
		}
		if logs := events[read].Fact.(runbook.LogsRead); logs.Problem != "the containers were being replaced before their logs were read" || logs.Services != nil {
			t.Errorf("read %+v", logs)
		}
		if events[read].At.Sub(rb.Request.At) > logsTimeout+30*time.Second {
			t.Errorf("it took until %s", events[read].At)
		}
	})
}
