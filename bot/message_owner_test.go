package bot

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// ownerStates are the messages of the follow-up, and the record as it goes on.
func ownerStates(t *testing.T, all map[string]Message) {
	asked := newStory(t).succeeded()
	all["owner_asked"] = ownerMessage(asked.rb, 1, false, asked.view())
	asked.event(time.Second, runbook.TicketIntended{}, runbook.TicketOpened{Number: 7, URL: "https://github.com/acme/shop/issues/7", Owner: "U0OWNER", Assignee: "olga"})
	all["owner_asked_ticket"] = ownerMessage(asked.rb, 1, false, asked.view())
	all["record_ticket"] = asked.record()
	asked.event(time.Hour, runbook.OwnerReminded{Owner: "U0OWNER"})
	all["owner_reminded"] = ownerMessage(asked.rb, 1, true, asked.view())
	asked.event(time.Hour, runbook.OwnerOverdue{Owner: "U0OWNER"})
	all["owner_overdue"] = overdueMessage(asked.rb, 1, asked.view())
	asked.event(time.Minute, runbook.OwnerAsked{Owner: "U0OTHER", By: "U0OWNER", RemindAt: asked.at.Add(time.Hour), TellAt: asked.at.Add(2 * time.Hour)})
	all["owner_handed_over"] = ownerMessage(asked.rb, 1, false, asked.view())
	all["owner_taken_over"] = ownerMessage(asked.rb, 2, false, asked.view())
	asked.event(time.Minute, runbook.OwnerAccepted{Owner: "U0OTHER"}, runbook.TicketUpdated{Owner: "U0OTHER", Accepted: true, Problem: "issues are switched off in acme/shop: switch them on in its settings"})
	all["owner_accepted"] = ownerMessage(asked.rb, 2, false, asked.view())
	all["record_handed_over"] = asked.record()
	forgone := newStory(t).succeeded().event(time.Second, runbook.TicketForgone{Why: "GitHub doesn't accept ROLLBACK_GITHUB_TOKEN: it is wrong, expired or revoked; make a new one"})
	all["record_no_ticket"] = forgone.record()
	all["record_file"] = newStory(t).succeeded().event(time.Second, runbook.TicketForgone{}).record()
}

// A choice of another owner tells by its block which follow-up it is about, and nothing else does.
func TestHandOver_ReadsItsOwnBlocksAlone(t *testing.T) {
	s := newStory(t).succeeded()
	m := ownerMessage(s.rb, 1, false, s.view())
	id := m.Blocks[len(m.Blocks)-1].ID()
	if got := handOverOf(id); got != s.rb.ID {
		t.Errorf("%q is about %q, want %s", id, got, s.rb.ID)
	}
	for _, strange := range []string{"", "x", handOverAction, handOverAction + "/", handOverAction + "/rb-", handOverAction + "/RB-1/1", "abort/rb-1/1", strings.TrimPrefix(id, "h")} {
		if got := handOverOf(strange); got != "" {
			t.Errorf("%q is about %q", strange, got)
		}
	}
}
