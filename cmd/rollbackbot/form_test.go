package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// The form and the line ask for the same: the same request, and a plan with the same hash.
func TestForm_SamePlanAsTheLine(t *testing.T) {
	t.Parallel()
	inBed(t, func(localslack.Call) *localslack.Fault { return nil }, func(b *sickbed) {
		b.connected(b)
		var plans, targets []string
		for range 2 {
			requests := len(ofKind(b.slack.Snapshot(), "rollback_request"))
			asked := func(now *localslack.Snapshot) bool { return len(ofKind(now, "rollback_request")) > requests }
			if requests == 0 {
				b.types(onCall, "/rollback", func(now *localslack.Snapshot) bool {
					v, open := now.OpenView(onCall)
					return open && strings.Contains(string(v.Blocks), `"other"`)
				})
				v, _ := b.slack.OpenView(onCall)
				b.says(onCall, "sends the form", func() error {
					_, err := b.slack.Submit(b.Context(), onCall, v.ID, map[string]map[string]any{
						"release": {"release": "v1"}, "reason": {"reason": "v2 answers 503"}, "migration": {"migration": "yes"},
					})
					return err
				}, asked)
			} else {
				b.types(onCall, "/rollback shop to v1 migration yes because v2 answers 503", asked)
			}
			var payload struct{ Rollback string }
			if err := json.Unmarshal(ofKind(b.slack.Snapshot(), "rollback_request")[requests].Metadata.Payload, &payload); err != nil {
				b.Fatal(err)
			}
			id := payload.Rollback
			events, err := b.store.Events(b.Context(), "shop", id, 0)
			if err != nil {
				b.Fatal(err)
			}
			rb, err := runbook.Fold(events)
			if err != nil {
				b.Fatal(err)
			}
			plans, targets = append(plans, rb.Plan.Hash()), append(targets, rb.Request.Release+" "+rb.Request.Reason+" "+rb.Request.Migration+" "+rb.Request.Owner)
			b.types(onCall, "/rollback abort "+id, func(now *localslack.Snapshot) bool { return len(ofKind(now, "rollback_record")) > requests })
		}
		if plans[0] != plans[1] || targets[0] != targets[1] {
			b.Errorf("the form gave %q with the plan %s, the line %q with %s", targets[0], plans[0], targets[1], plans[1])
		}
	})
}
