package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/realhost"
)

// TestWhole is the runbook from the command to the record, by the real binary on real parts, configured through its
// environment alone.
func TestWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.brokenRelease(t)
	before := w.stack.Containers(t)
	envBefore := w.stack.Env(t)
	plan := w.mustRun(t, "plan", w.app, "--to", "v1")
	if health := w.health(t); health != http.StatusServiceUnavailable {
		t.Fatalf("v2 answers %d, want a release that is broken", health)
	}

	bot := w.serve(t, nil)
	w.connected(t)
	const reason = "checkout answers 503 since v2 <!channel> *now*"
	w.types(t, onCall, "/rollback "+w.app+" to v1 migration yes owner <@"+lead+"> because "+reason)
	request, asked := w.request(t, 1)
	if asked.App != w.app || !strings.HasPrefix(asked.Rollback, "rb-") || !strings.Contains(plan, "Plan "+asked.Plan+"\n") {
		t.Errorf("the request says %+v, want the plan's hash as `rollbackbot plan` gives it:\n%s", asked, plan)
	}

	w.refused(t, nobody, request.TS, "signoff_in_place", "lead")
	w.refused(t, guest, request.TS, "signoff_in_place", "guest")
	w.refused(t, onCall, request.TS, "signoff_in_place", "lead")
	if got := w.stack.Containers(t); !equalContainers(got, before) || w.stack.Env(t) != envBefore {
		t.Fatalf("something changed before anybody signed off:\n%+v\nwas\n%+v", got, before)
	}
	w.clicks(t, lead, request.TS, "signoff_in_place")
	question := w.question(t, request.TS, "error_rate_baseline")
	w.refused(t, nobody, question, "error_rate_baseline", "requester")
	w.clicks(t, onCall, question, "error_rate_baseline")
	record := w.record(t, 1)

	w.runs(t, "v1")
	w.untouched(t, before)
	if health := w.health(t); health != http.StatusOK {
		t.Errorf("after the rollback the api answers %d", health)
	}
	if got, want := realhost.WithoutPins(w.stack.Env(t)), realhost.WithoutPins(envBefore); got != want {
		t.Errorf("a line that is no pin was changed:\n%q\nwas\n%q", got, want)
	}
	w.checkRecord(t, record, asked, reason)
	w.commands(t)
	bot.stop(t)
	w.keepsItsSecrets(t, bot)
	if records := ofKind(w.slack.Snapshot(), "rollback_record"); len(records) != 1 {
		t.Errorf("%d records, want one", len(records))
	}
}

func (w *world) health(tb testing.TB) int {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, w.stack.HealthURL(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		tb.Fatalf("ask the api: %v", err)
	}
	if err := answer.Body.Close(); err != nil {
		tb.Fatal(err)
	}
	return answer.StatusCode
}

func equalContainers(a, b map[string][]realhost.Container) bool {
	if len(a) != len(b) {
		return false
	}
	for service := range a {
		if !slices.Equal(a[service], b[service]) {
			return false
		}
	}
	return true
}

// recordPayload is the record's metadata as the surface has it, field by field.
type recordPayload struct {
	Rollback    string            `json:"rollback"`
	App         string            `json:"app"`
	Outcome     string            `json:"outcome"`
	At          time.Time         `json:"at"`
	To          map[string]string `json:"to"`
	From        map[string]string `json:"from"`
	Reason      string            `json:"reason"`
	Migration   string            `json:"migration"`
	Owner       string            `json:"owner"`
	RequestedBy string            `json:"requested_by"`
	SignedOffBy string            `json:"signed_off_by"`
	Plan        string            `json:"plan"`
	Head        string            `json:"head"`
}

// parseRecord reads a record's metadata: all of the fields, and no others.
func parseRecord(tb testing.TB, record localslack.Message) recordPayload {
	tb.Helper()
	var payload recordPayload
	strict := json.NewDecoder(bytes.NewReader(record.Metadata.Payload))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&payload); err != nil {
		tb.Fatalf("the record's metadata: %v\n%s", err, record.Metadata.Payload)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(record.Metadata.Payload, &fields); err != nil {
		tb.Fatal(err)
	}
	if len(fields) != 13 {
		tb.Errorf("the record's metadata has %d fields, want 13: %s", len(fields), record.Metadata.Payload)
	}
	return payload
}

func (w *world) checkRecord(t *testing.T, record localslack.Message, asked requestPayload, reason string) {
	t.Helper()
	got := parseRecord(t, record)
	want := recordPayload{
		Rollback: asked.Rollback, App: w.app, Outcome: "succeeded", At: got.At, To: got.To, From: got.From,
		Reason: reason, Migration: "left in place", Owner: lead, RequestedBy: onCall, SignedOffBy: lead,
		Plan: asked.Plan, Head: w.endOf(t, asked.Rollback),
	}
	gotJSON, wantJSON := toJSON(t, got), toJSON(t, want)
	if gotJSON != wantJSON {
		t.Errorf("the record is\n%s\nwant\n%s", gotJSON, wantJSON)
	}
	if got, want := toJSON(t, got.To), toJSON(t, w.stack.Images("v1")); got != want {
		t.Errorf("rolled back to %s, want %s", got, want)
	}
	if got, want := toJSON(t, got.From), toJSON(t, w.stack.Images("v2")); got != want {
		t.Errorf("rolled back from %s, want %s", got, want)
	}
	if age := time.Since(got.At); age < -time.Second || age > patience {
		t.Errorf("the record is of %s, which is %s ago", got.At, age)
	}
	if strings.Contains(record.Text, "<!") || strings.Contains(string(record.Blocks), `"broadcast"`) {
		t.Errorf("what was typed became a call to everybody: %s\n%s", record.Text, record.Blocks)
	}
}

func toJSON(tb testing.TB, value any) string {
	tb.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// endOf is the hash of a rollback's end in the journal as exported.
func (w *world) endOf(tb testing.TB, rollback string) string {
	tb.Helper()
	for line := range strings.Lines(w.mustRun(tb, "audit", "export")) {
		var event struct{ Rollback, Kind, Hash string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			tb.Fatalf("a line of the export: %v\n%s", err, line)
		}
		if event.Rollback == rollback && event.Kind == "ended" {
			return event.Hash
		}
	}
	tb.Errorf("the journal has no end of %s", rollback)
	return ""
}

// commands are those that tell how things stand after the rollback.
func (w *world) commands(t *testing.T) {
	t.Helper()
	if out := w.mustRun(t, "audit", "verify"); !strings.Contains(out, w.app+": whole, head ") {
		t.Errorf("audit verify prints %q", out)
	}
	history := w.mustRun(t, "history", w.app)
	for _, want := range []string{"v1", "v2", "quarantined", "succeeded"} {
		if !strings.Contains(history, want) {
			t.Errorf("the history lacks %q:\n%s", want, history)
		}
	}
	for _, gate := range []struct {
		version string
		want    int
	}{{"v1", 0}, {"v2", 3}} {
		status, _, why := w.run(t, "allowed", w.stack.Images(gate.version)["api"])
		if status != gate.want || (why != "") != (gate.want != 0) {
			t.Errorf("allowed with the api of %s ends with status %d and says %q, want %d", gate.version, status, why, gate.want)
		}
	}
	status, _, why := w.run(t, "plan", w.app, "--to", "v1")
	if status != 1 || !strings.Contains(why, "nothing to do") {
		t.Errorf("plan to what runs ends with status %d: %s", status, why)
	}
	if status, _, why := w.run(t, "plan", w.app); status != 1 || why == "" {
		t.Errorf("plan ends with status %d and %q, want 1: there is no release before v1", status, why)
	}
}

// keepsItsSecrets looks for the app's secret and Slack's tokens in all that the bot said.
func (w *world) keepsItsSecrets(t *testing.T, bot *serving) {
	t.Helper()
	texts := map[string]string{"log": bot.text(), "journal": w.mustRun(t, "audit", "export"), "history": w.mustRun(t, "history", w.app)}
	for _, call := range w.slack.Calls() {
		texts["Slack"] += call.Method + toJSON(t, call.Args) + "\n"
	}
	for where, text := range texts {
		for _, secret := range []string{realhost.SecretValue, w.env["SLACK_BOT_TOKEN"], w.env["SLACK_APP_TOKEN"]} {
			if text == "" || strings.Contains(text, secret) {
				t.Errorf("a secret is in the %s, or there is none: %q", where, secret)
			}
		}
	}
}
