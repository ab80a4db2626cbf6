package runner_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/compose"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/runner"
)

// testdata/journals has a folder for every version that was released, with journals as that version wrote them and
// `audit export` gives them: one for every way in which a rollback may go, and some that were cut off
// under way. The files of a released version never change: journals outlive binaries, and this is the proof that ours are
// still read. A new version adds a folder of its own: make it, set version, then
//
//	go test ./runbook/runner -run TestJournals_AsWrittenNow -update
const version = "v0.2"

var update = flag.Bool("update", false, "write this version's journals into testdata/journals")

const journals = "testdata/journals"

// cuts are where journals are cut off, each by the start of its last event.
var cuts = []struct{ name, of, kind, body string }{
	{"cut when it was asked for", "it goes well", "requested", ""},
	{"cut when it was signed off", "it goes well", "answered", `{"question":1,`},
	{"cut in identify", "it goes well", "step_started", `{"step":"identify"`},
	{"cut while the pins are written", "it goes well", "pins_writing", ""},
	{"cut before up", "it goes well", "command_started", `{"host":"deploy@one","step":"deploy"`},
	{"cut after up", "it goes well", "step_finished", `{"step":"deploy"`},
	{"cut in the error-rate window", "it goes well", "step_started", `{"step":"error_rate"`},
	{"cut while people are asked", "it goes well", "asked", ""},
	{"cut before the record", "it goes well", "ended", ""},
	{"cut while the record is posted", "it goes well", "notice_intended", `{"key":"record"`},
	{"cut when two may sign off", "nobody answers until break-glass", "break_glass_opened", ""},
	{"cut when there is a new plan", "somebody deploys before the sign-off", "replanned", ""},
}

// TestJournals_AsWrittenNow writes this version's files with -update. Without, it plays the same; in either case the files
// have to hold every kind of event that this version writes.
func TestJournals_AsWrittenNow(t *testing.T) {
	written := map[string][]byte{}
	runner.PlayAll(t, released, func(t *testing.T, name string) runbooktest.Store {
		store := open(t, sqliteURL(t)).(*outside)
		t.Cleanup(func() {
			var out bytes.Buffer
			if err := store.store.Export(context.Background(), &out); err != nil {
				t.Error(err)
			}
			written[name] = out.Bytes()
		})
		return store
	})
	if t.Failed() {
		return
	}
	for _, cut := range cuts {
		written[cut.name] = cutAfter(t, written[cut.of], cut.kind, cut.body)
	}
	if *update {
		for name, content := range written {
			file := filepath.Join(journals, version, strings.ReplaceAll(name, " ", "-")+".jsonl")
			if err := os.WriteFile(file, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept := map[string]bool{}
	for _, file := range files(t, version) {
		for _, e := range events(t, file) {
			kept[e.Fact.Kind()] = true
		}
	}
	for _, kind := range runbook.Kinds() {
		if !kept[kind] {
			t.Errorf("no file of %s has an event of kind %s", version, kind)
		}
	}
}

// released has hosts say what they said to the versions that wrote the journals: a plan that is made again there has to
// be the one that was signed. The lines are those of package compose, and a service's configuration has the hash that
// those tests gave it, by its image.
func released(hosts runbook.Hosts) runbook.Hosts { return releasedHosts{hosts} }

type releasedHosts struct{ runbook.Hosts }

func (h releasedHosts) On(app runbook.App, host runbook.Host) runbook.AppHost {
	return releasedHost{h.Hosts.On(app, host)}
}

func (releasedHosts) Commands(app runbook.App, plan runbook.HostPlan) runbook.Commands {
	return (&compose.Hosts{}).Commands(app, plan)
}

type releasedHost struct{ runbook.AppHost }

func (h releasedHost) Preflight(ctx context.Context, again bool) (runbook.HostReport, error) {
	report, err := h.AppHost.Preflight(ctx, again)
	for i := range report.Stack {
		report.Stack[i].ConfigHash = fmt.Sprintf("%x", sha256.Sum256([]byte(report.Services[i].Image.String())))
	}
	return report, err
}

// cutAfter is an export up to its first event of a kind whose body starts so.
func cutAfter(t *testing.T, content []byte, kind, body string) []byte {
	t.Helper()
	end := 0
	for line := range bytes.Lines(content) {
		end += len(line)
		if bytes.Contains(line, []byte(`"kind":"`+kind+`",`)) && bytes.Contains(line, []byte(`"body":`+body)) {
			return content[:end]
		}
	}
	t.Fatalf("no event of kind %s with %s", kind, body)
	return nil
}

// Whatever a released version wrote is read: every link of the chain holds, every kind is known, every event follows.
func TestJournals_OfEveryVersionAreRead(t *testing.T) {
	for _, file := range files(t, "*") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := journal.VerifyExport(bytes.NewReader(content)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		rb, err := runbook.Fold(slices.DeleteFunc(events(t, file), func(e runbook.Event) bool { return e.Rollback == "" }))
		switch cut := isCut(file); {
		case err != nil:
			t.Errorf("%s: %v", file, err)
		case rb.ID == "" || rb.Plan.Hash() == "" || cut == rb.Published || !cut && rb.Record().Outcome == "":
			t.Errorf("%s: outcome %q, published: %t", file, rb.Outcome, rb.Published)
		case rb.Signoff.By != "" && rb.Signoff.Plan != rb.Plan.Hash():
			t.Errorf("%s: signed was %s, and the plan's hash is %s: it is made in another way now", file, rb.Signoff.Plan, rb.Plan.Hash())
		}
	}
}

// What a released version has begun is finished by this one.
func TestJournals_OfEveryVersionAreFinished(t *testing.T) {
	for _, file := range files(t, "*") {
		if !isCut(file) {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			url := sqliteURL(t)
			store := open(t, url)
			restore(t, url, file)
			runner.FinishOn(t, store, released)
		})
	}
}

// files lists the journals of a version; there is at least one.
func files(t *testing.T, version string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(journals, version, "*.jsonl"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no journals of %s: %v", version, err)
	}
	return found
}

func isCut(file string) bool { return strings.HasPrefix(filepath.Base(file), "cut-") }

// line is a line of an export.
type line struct {
	App, Rollback, Kind, Actor, Cause, Hash string
	Seq, Epoch                              int64
	At                                      time.Time
	Body                                    json.RawMessage
}

func lines(t *testing.T, content []byte) (all []line) {
	t.Helper()
	for decoder := json.NewDecoder(bytes.NewReader(content)); decoder.More(); {
		var l line
		if err := decoder.Decode(&l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// events reads a file.
func events(t *testing.T, file string) (all []runbook.Event) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines(t, content) {
		fact, err := runbook.DecodeFact(l.Kind, l.Body)
		if err != nil {
			t.Fatalf("%s: event %d: %v", file, l.Seq, err)
		}
		all = append(all, runbook.Event{
			App: l.App, Seq: l.Seq, Rollback: l.Rollback, Epoch: l.Epoch, At: l.At, Actor: l.Actor, Cause: l.Cause, Fact: fact, Hash: l.Hash,
		})
	}
	return all
}

// restore puts a file's events into an empty journal, to the last byte as they were written.
func restore(t *testing.T, database, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", strings.TrimPrefix(database, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO apps (app, seq, head, epoch) VALUES ('shop', 0, '', 0)`)
	for _, l := range lines(t, content) {
		exec(`INSERT INTO events (app, seq, rollback, epoch, at, kind, actor, cause, body, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			l.App, l.Seq, l.Rollback, l.Epoch, l.At.UnixMicro(), l.Kind, l.Actor, l.Cause, string(l.Body), l.Hash)
		exec(`UPDATE apps SET seq = $2, head = $3, epoch = max(epoch, $4) WHERE app = $1`, l.App, l.Seq, l.Hash, l.Epoch)
		switch l.Kind {
		case "requested":
			exec(`INSERT INTO rollbacks (rollback, app) VALUES ($1, $2)`, l.Rollback, l.App)
			exec(`INSERT INTO open_rollbacks (rollback, app) VALUES ($1, $2)`, l.Rollback, l.App)
		case "ended":
			exec(`DELETE FROM open_rollbacks WHERE rollback = $1`, l.Rollback)
		}
	}
}
