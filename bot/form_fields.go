package bot

import (
	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Limits of Block Kit, in characters: https://docs.slack.dev/reference/block-kit/composition-objects/option-object,
// https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element and
// https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element.
const (
	maxOptions     = 100
	maxOptionRunes = 75 // of the text; of a value that page allows 150 now, but older clients 75
	maxInputRunes  = 3000
	maxLabelRunes  = 2000 // of a label or hint: https://docs.slack.dev/reference/block-kit/blocks/input-block; titles and placeholders have less, and are short here
	maxFieldError  = 300  // no limit is documented; more than that nobody reads under a field
)

// appField asks for the app; choosing one is told to the bot at once, which then shows its releases. chosen is the one
// whose releases are shown; empty: none is.
func (f *Form) appField(chosen string) slack.Block {
	var options []*slack.OptionBlockObject
	var initial *slack.OptionBlockObject
	for _, app := range f.Apps[:min(len(f.Apps), maxOptions)] {
		options = append(options, option(app, app))
		if app == chosen {
			initial = options[len(options)-1]
		}
	}
	choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, label("Which app?"), fieldApp, options...)
	choice.InitialOption = initial
	return slack.NewInputBlock(fieldApp, label("App"), nil, choice).WithDispatchAction(true)
}

// criterionWords are the runbook's criteria as a box's text can have them.
var criterionWords = map[runbook.CriterionName]string{
	runbook.CriterionHealth:     "Health checks fail, and did not recover within 5 minutes",
	runbook.CriterionErrorRate:  "Error rate above baseline within 10 minutes of deployment",
	runbook.CriterionRegression: "A critical regression is confirmed in production monitoring",
	runbook.CriterionDecision:   "The team decides: its risk outweighs the cost of rollback",
}

// criteriaNames are the boxes, in the runbook's order.
var criteriaNames = []runbook.CriterionName{
	runbook.CriterionHealth, runbook.CriterionErrorRate, runbook.CriterionRegression, runbook.CriterionDecision,
}

// criteriaFields ask which of the runbook's criteria are why. What was measured of them stands under each box, and in
// full under all, but ticks none: that is the person's word.
func criteriaFields(content formContent) []slack.Block {
	var options []*slack.OptionBlockObject
	d := newDraft()
	for _, name := range criteriaNames {
		o := option(string(name), criterionWords[name])
		for _, c := range content.choices.Evidence {
			if c.Name != name || c.Held == runbook.HeldByPeople {
				continue
			}
			held := orElse(heldWords[c.Held], string(c.Held))
			o.Description = plain(held+": "+c.Detail, maxOptionRunes)
			d.points([][]span{{words(name.Text() + ": "), bold(held), words(", " + runbook.Truncate(c.Detail, 600))}})
		}
		options = append(options, o)
	}
	boxes := slack.NewCheckboxGroupsBlockElement(fieldCriteria, options...)
	fields := []slack.Block{slack.NewInputBlock(fieldCriteria, label("Why? The runbook's criteria"), nil, boxes).WithOptional(true)}
	return append(fields, d.blocks...)
}

func reasonField() slack.Block {
	typed := slack.NewPlainTextInputBlockElement(label("What is broken?"), fieldReason).WithMaxLength(maxInputRunes).WithMultiline(true)
	return slack.NewInputBlock(fieldReason, label("Reason, in your words"), nil, typed).WithOptional(true)
}

func migrationField() slack.Block {
	options := []*slack.OptionBlockObject{
		option(string(runbook.MigrationNone), "No, it had none"),
		option(string(runbook.MigrationYes), "Yes, it had one"),
		option(string(runbook.MigrationUnknown), "I don't know"),
	}
	choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, fieldMigration, options...).WithInitialOption(options[2])
	hint := label("Your word for the engineering lead. It proves nothing.")
	return slack.NewInputBlock(fieldMigration, label("Did the failed release have a database migration?"), hint, choice)
}

func ownerField(user string) slack.Block {
	choice := slack.NewOptionsSelectBlockElement(slack.OptTypeUser, nil, fieldOwner).WithInitialUser(user)
	return slack.NewInputBlock(fieldOwner, label("Owner of the follow-up investigation"), nil, choice)
}

func option(value, text string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(value, plain(text, maxOptionRunes), nil)
}

// label is a text of the form's own, none of which is long.
func label(text string) *slack.TextBlockObject { return plain(text, maxLabelRunes) }
