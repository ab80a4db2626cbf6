package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/runner"
)

// historyAsks is how often each is asked.
const historyAsks = 21

// BenchmarkHistory asks journals of three lengths, on both stores, as people do: the command `history` in a process of its
// own, and the verbs `history` and `status` of a bot that runs. Somebody has written between any two questions. The bar is
// 50 ms on a quiet machine; beside the command stands `version`, which is what a process costs here that reads nothing.
func BenchmarkHistory(b *testing.B) {
	binary := realhost.Build(b, "rollbackbot/cmd/rollbackbot")
	for b.Loop() {
		for name, database := range stores(b) {
			store, err := journal.Open(b.Context(), database, journal.Options{})
			if err != nil {
				b.Fatal(err)
			}
			team := newLongTeam(b, store)
			for _, length := range []int{1_000, 10_000, 100_000} {
				team.liveUntil(length)
				command := &program{binary: binary, env: map[string]string{"ROLLBACK_DATABASE_URL": database}}
				began := time.Now()
				command.mustRun(b, "history", "shop")
				b.ReportMetric(milliseconds(time.Since(began)), fmt.Sprintf("ms/%s/%d/command-first", name, length))
				asked := map[string][]time.Duration{
					"version": team.ask(func() { command.mustRun(b, "version") }),
					"command": team.ask(func() { command.mustRun(b, "history", "shop") }),
					"history": team.ask(team.history),
					"status":  team.ask(team.status),
				}
				for what, times := range asked {
					b.ReportMetric(milliseconds(median(times)), fmt.Sprintf("ms/%s/%d/%s", name, length, what))
					b.ReportMetric(milliseconds(slices.Min(times)), fmt.Sprintf("ms-least/%s/%d/%s", name, length, what))
				}
			}
			if err := store.Close(); err != nil {
				b.Error(err)
			}
		}
	}
}

// longTeam is a team that has deployed and rolled back for years.
type longTeam struct {
	*testing.B
	store  *journal.Store
	runner *runner.Runner
	round  []exportedLine
	rounds int
	events int
}

// exportedLine is a line of a journal as it was exported.
type exportedLine struct {
	Rollback, Kind string
	Body           json.RawMessage
}

func newLongTeam(b *testing.B, store *journal.Store) *longTeam {
	b.Helper()
	team := &longTeam{B: b, store: store, runner: &runner.Runner{Journal: store, Chronicle: &history.Chronicle{Memos: store, Keep: true}}}
	text, err := os.ReadFile("../../runbook/testdata/journals/v0.1/it-goes-well.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var event exportedLine
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			b.Fatal(err)
		}
		team.round = append(team.round, event)
	}
	return team
}

// liveUntil has the team live on until the journal has so many events. A round is two good deployments, a broken one and
// its rollback, each release with images of its own: 45 events.
func (t *longTeam) liveUntil(events int) {
	t.Helper()
	for t.events < events {
		t.rounds++
		t.append("", t.round[:3], 3*t.rounds, 0)
		t.append("", t.round[:5], 3*t.rounds+1, 3*t.rounds+2)
		t.append(fmt.Sprintf("rb-%08d", t.rounds), t.round[5:], 3*t.rounds+1, 3*t.rounds+2)
	}
}

// append writes lines with other images in the place of v1's and v2's.
func (t *longTeam) append(rollback string, lines []exportedLine, v1, v2 int) {
	t.Helper()
	names := strings.NewReplacer(
		fmt.Sprintf("%016d", 1), fmt.Sprintf("%016x", v1), fmt.Sprintf("%016d", 2), fmt.Sprintf("%016x", v2),
		`"v1"`, fmt.Sprintf(`"v%d"`, v1), `"v2"`, fmt.Sprintf(`"v%d"`, v2),
	)
	entry := runbook.Entry{App: "shop", Rollback: rollback, At: time.Now()}
	for _, line := range lines {
		fact, err := runbook.DecodeFact(line.Kind, []byte(names.Replace(string(line.Body))))
		if err != nil {
			t.Fatal(err)
		}
		entry.Facts = append(entry.Facts, fact)
	}
	if _, err := t.store.Append(context.Background(), entry); err != nil {
		t.Fatal(err)
	}
	t.events += len(entry.Facts)
}

// ask gives how long a question takes, many times.
func (t *longTeam) ask(question func()) (times []time.Duration) {
	t.Helper()
	for i := range historyAsks {
		t.append("", t.round[:1], 3*t.rounds+i%3, 0)
		began := time.Now()
		question()
		times = append(times, time.Since(began))
	}
	return times
}

func (t *longTeam) history() {
	history, err := t.runner.History(context.Background(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	bot.HistoryMessage("shop", history.Apart(), history.Releases(), history.Rollbacks())
}

func (t *longTeam) status() {
	history, err := t.runner.History(context.Background(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	all := history.Rollbacks()
	rb, err := t.runner.Status(context.Background(), all[len(all)-1].ID)
	if err != nil {
		t.Fatal(err)
	}
	bot.StatusMessage(rb, false, "")
}
