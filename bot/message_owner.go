package bot

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

// ownerMessage asks the owner of the follow-up, alone, to accept it; reminder says that they were asked before. One who
// isn't asked any more is told who has it.
func ownerMessage(rb runbook.Rollback, n int, reminder bool, v view) Message {
	d := newDraft()
	asking := rb.FollowUp.Askings[n-1]
	title := "Do you accept the follow-up?"
	if reminder {
		title = "Reminder: do you accept the follow-up?"
	}
	d.header(title)
	d.say(words("The rollback "), code(rb.ID), words(" of "), bold(rb.App), words(" from "+fromName(rb.Plan)+" to "+targetName(rb.Plan)+": "+outcomeText(rb.Outcome)+", at "+instant(rb.EndedAt)+"."))
	if asking.By != "" {
		d.say(person(asking.By), words(" hands the follow-up investigation over to you."))
	} else {
		d.say(words("You are named as the owner of the follow-up investigation, by "), person(rb.Request.By), words("."))
	}
	d.field("What is asked of you", words("find and fix the cause of the failure before the release is deployed again, and see to the postmortem. Its failed images are quarantined until a lead lifts that with the postmortem's link."))
	sayTicket(d, rb)
	if n < len(rb.FollowUp.Askings) {
		d.say(bold("Handed over: "), words("the follow-up is "), person(rb.Owner()), words("'s now."))
		return d.message()
	}
	row := []slack.BlockElement{}
	if asking.AcceptedAt.IsZero() {
		before := "Without your answer you are reminded at " + until(asking.RemindAt, v.now) + "; at "
		if reminder {
			before = "Without your answer, at "
		}
		d.say(words(before+until(asking.TellAt, v.now)+" "), person(rb.Request.By), words(" and the leads are told."))
		row = append(row, acceptButton(rb, n).element())
	} else {
		d.say(bold("You accepted it"), words(" at "+instant(asking.AcceptedAt)+"."))
	}
	return d.messageWith(handOverBlock(rb, n, row...))
}

func acceptButton(rb runbook.Rollback, n int) button {
	return button{
		value: Value{Rollback: rb.ID, Plan: rb.Plan.Hash(), Answer: runbook.AcceptOwner, Question: int64(n)},
		text:  buttonTexts[runbook.AcceptOwner],
	}
}

// handOverAction is the choice of another owner.
const handOverAction = "hand_over_owner"

// handOverBlock is a row that ends with the choice of another owner. A choice of a person carries no value of its own: the
// block's ID says which follow-up it is about.
func handOverBlock(rb runbook.Rollback, n int, row ...slack.BlockElement) *slack.ActionBlock {
	choice := slack.NewOptionsSelectBlockElement(slack.OptTypeUser, plain("Hand it over to …", 150), handOverAction)
	choice.Confirm = slack.NewConfirmationBlockObject(
		plain("Hand the follow-up over?", maxConfirmTitle), plain("They are asked to accept it, and the record names them from now on.", maxConfirmText), plain("Hand it over", 30), plain("Not yet", 30))
	return slack.NewActionBlock(handOverID(rb.ID, n), append(row, choice)...)
}

func handOverID(rollback string, n int) string {
	return fmt.Sprintf("%s/%s/%d", handOverAction, rollback, n)
}

// handOverOf is the rollback that a choice of another owner is about; "" where the block's ID is none of those.
func handOverOf(block string) string {
	parts := strings.Split(block, "/")
	if len(parts) < 3 || parts[0] != handOverAction || !rollbackPattern.MatchString(parts[1]) {
		return ""
	}
	return parts[1]
}

// overdueMessage tells who asked, and the leads, that nobody has accepted the follow-up.
func overdueMessage(rb runbook.Rollback, n int, v view) Message {
	d := newDraft()
	asking := rb.FollowUp.Askings[n-1]
	d.header("Nobody has accepted the follow-up yet")
	d.say(append(append([]span{person(rb.Request.By), words(", ")}, people(v.leads)...), words(":"))...)
	d.say(words("The follow-up investigation of "), code(rb.ID), words(" is "), person(asking.Owner),
		words("'s, who was asked at "+instant(asking.AskedAt)+" and reminded at "+instant(asking.RemindAt)+", and has not accepted it."))
	d.say(words("Talk to them, or hand it over: the owner can, and a lead."))
	return d.messageWith(handOverBlock(rb, n))
}

// sayTicket says where the postmortem is.
func sayTicket(d *draft, rb runbook.Rollback) {
	if len(rb.FollowUp.Askings) == 0 {
		return
	}
	t := rb.FollowUp.Ticket
	switch {
	case t.Number != 0:
		spans := []span{link(t.URL, fmt.Sprintf("ticket #%d", t.Number))}
		if t.Assignee != "" {
			spans = append(spans, words(", assigned to "+t.Assignee))
		}
		if t.Why != "" {
			spans = append(spans, words(". It could not be brought up to date: "+sentence(runbook.Truncate(t.Why, maxSentence))))
		}
		d.field("Postmortem", spans...)
	case t.Forgone && t.Why != "":
		d.field("Postmortem", words("no ticket could be opened: "+sentence(runbook.Truncate(t.Why, maxSentence))+" Its text is a file in the record's thread: open a ticket with it."))
	case t.Forgone:
		d.field("Postmortem", words("its text is a file in the record's thread: open a ticket with it."))
	default:
		d.field("Postmortem", words("it is being prepared."))
	}
}

// ownerState is how the owner stands to the follow-up.
func ownerState(rb runbook.Rollback) []span {
	n := len(rb.FollowUp.Askings)
	if n == 0 {
		return nil
	}
	var out []span
	asking := rb.FollowUp.Askings[n-1]
	if asking.By != "" {
		out = append(out, words(", to whom "), person(asking.By), words(" handed it over"))
	}
	if asking.AcceptedAt.IsZero() {
		return append(out, words("; not accepted yet"))
	}
	return append(out, words("; accepted at "+instant(asking.AcceptedAt)))
}

// postmortemFile is the postmortem as a file for the record's thread.
func postmortemFile(rb runbook.Rollback, text string) file {
	comment := "The postmortem of " + rb.ID + " as far as the journal knows. Open a ticket with it, and answer its questions."
	if why := rb.FollowUp.Ticket.Why; why != "" {
		comment = "No ticket could be opened: " + sentence(runbook.Truncate(why, maxSentence)) + " " + comment
	}
	return file{name: postmortemName(rb), title: postmortem.PostmortemTitle(rb), comment: comment, content: []byte(text)}
}

func postmortemName(rb runbook.Rollback) string { return "postmortem-" + rb.ID + ".md" }
