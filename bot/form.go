package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// formCallback is the form's callback_id.
const formCallback = "rollback_form"

// The form's fields: each one is its block's and its action's ID.
const (
	fieldApp       = "app"
	fieldRelease   = "release"
	fieldReason    = "reason"
	fieldMigration = "migration"
	fieldOwner     = "owner"
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

// historyTimeout bounds reading the history while a form waits: Slack waits 3 s in all, and storing may take 2 of them.
const historyTimeout = 500 * time.Millisecond

// Form is the form that the command opens when it is typed alone. It asks for what the one-line form has clauses for.
type Form struct {
	API    *slack.Client
	Apps   []string // the names of all apps, in their order
	Runner Runner
}

// formOrigin travels with the form, so that the answer goes where the form was asked for.
type formOrigin struct {
	Channel     string `json:"channel"`
	ResponseURL string `json:"response_url"`
	App         string `json:"app,omitempty"` // where there is no field for it
}

func (v viewPayload) origin() formOrigin {
	var origin formOrigin
	_ = json.Unmarshal([]byte(v.Metadata), &origin) // the bot's own; without it the answer only has nowhere to go
	return origin
}

func (v viewPayload) reply(user string) Reply {
	origin := v.origin()
	return Reply{Channel: origin.Channel, User: user, ResponseURL: origin.ResponseURL}
}

// open shows the form to who typed the command. The command's trigger is good for 3 s.
func (f *Form) open(ctx context.Context, c commandPayload) error {
	_, err := f.API.OpenViewContext(ctx, c.Trigger, f.view(ctx, c))
	if err != nil {
		return fmt.Errorf("open the form: %w", remedied(err))
	}
	return nil
}

func (f *Form) view(ctx context.Context, c commandPayload) slack.ModalViewRequest {
	origin := formOrigin{Channel: c.Channel, ResponseURL: c.ResponseURL}
	var blocks []slack.Block
	if len(f.Apps) == 1 {
		origin.App = f.Apps[0]
	} else {
		blocks = append(blocks, f.appField())
	}
	metadata, _ := json.Marshal(origin) // strings always marshal
	blocks = append(blocks, f.releaseField(ctx), reasonField(), migrationField(), ownerField(c.User))
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: formCallback, PrivateMetadata: string(metadata),
		Title: label("Roll a release back"), Submit: label("Ask for it"), Close: label("Cancel"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

func (f *Form) appField() slack.Block {
	var options []*slack.OptionBlockObject
	for _, app := range f.Apps[:min(len(f.Apps), maxOptions)] {
		options = append(options, option(app, app))
	}
	choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, label("Which app?"), fieldApp, options...)
	return slack.NewInputBlock(fieldApp, label("App"), nil, choice)
}

// releaseField offers the releases of the only app. Which of several apps is meant isn't known yet when the form opens,
// so there the release is typed; so it is where nothing is known.
func (f *Form) releaseField(ctx context.Context) slack.Block {
	if options := f.releaseOptions(ctx); len(options) > 1 {
		choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, label("Which release?"), fieldRelease, options...)
		hint := label("Another one, or one image for every service: type " + slash + " " + f.Apps[0] + " to …")
		return slack.NewInputBlock(fieldRelease, label("Back to"), hint, choice.WithInitialOption(options[0]))
	}
	typed := slack.NewPlainTextInputBlockElement(label(runbook.Previous), fieldRelease).WithMaxLength(maxInputRunes)
	hint := label("previous, a version or ID from the history, sha256: with 12 or more digits, or one image for every service: api=NAME@sha256:… worker=…")
	return slack.NewInputBlock(fieldRelease, label("Back to"), hint, typed.WithInitialValue(runbook.Previous))
}

func (f *Form) releaseOptions(ctx context.Context) []*slack.OptionBlockObject {
	if len(f.Apps) != 1 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	history, err := f.Runner.History(ctx, f.Apps[0])
	if err != nil {
		return nil // then it is typed, and judged when the form is sent
	}
	options := []*slack.OptionBlockObject{option(runbook.Previous, "previous: the last known-good one")}
	releases := history.Releases()
	for _, r := range releases {
		if r.Quarantine == "" && len(r.Gone) == 0 && len(options) < maxOptions {
			options = append(options, option(uniqueName(r, releases), runbook.Describe(r)))
		}
	}
	return options
}

// uniqueName is what people call a release, or its ID where that names several or doesn't fit.
func uniqueName(r runbook.Release, all []runbook.Release) string {
	same := func(other runbook.Release) bool {
		return other.ID != r.ID && (other.Version == r.Version || other.ID == r.Version)
	}
	if r.Version == "" || r.Version == runbook.Previous || utf8.RuneCountInString(r.Version) > maxOptionRunes || slices.ContainsFunc(all, same) {
		return r.ID
	}
	return r.Version
}

func reasonField() slack.Block {
	typed := slack.NewPlainTextInputBlockElement(label("What is broken?"), fieldReason).WithMaxLength(maxInputRunes).WithMultiline(true)
	return slack.NewInputBlock(fieldReason, label("Reason"), nil, typed).WithOptional(true)
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

// read makes the request that a sent form asks for. What can be judged without asking a host is: wrong says, by field,
// what has to be put right; then the request is of no use.
func (f *Form) read(ctx context.Context, v viewPayload, by string) (request runbook.Request, wrong map[string]string) {
	wrong = map[string]string{}
	request = runbook.Request{
		App: v.origin().App, By: by,
		Reason: strings.TrimSpace(v.field(fieldReason)), Owner: v.field(fieldOwner),
	}
	if app := v.field(fieldApp); app != "" {
		request.App = app
	}
	f.readApp(&request, wrong)
	migration, ok := runbook.ParseMigration(v.field(fieldMigration))
	if !ok {
		wrong[fieldMigration] = "Choose none, yes or unknown."
	}
	request.Migration = string(migration)
	if request.Owner == "" {
		wrong[fieldOwner] = "Somebody has to own the follow-up investigation."
	}
	if err := f.readTarget(ctx, &request, v.field(fieldRelease)); err != nil {
		wrong[fieldRelease] = runbook.Truncate(Sentence(err), maxFieldError)
	}
	return request, wrong
}

func (f *Form) readApp(request *runbook.Request, wrong map[string]string) {
	if slices.Contains(f.Apps, request.App) {
		return
	}
	field := fieldApp
	if len(f.Apps) == 1 {
		field = fieldRelease // the field for the app is left out, and an error has to stand under one that is there
	}
	wrong[field] = runbook.Truncate(Sentence(&runbook.UnknownAppError{Name: request.App, Apps: f.Apps}), maxFieldError)
}

// readTarget reads the release as the one-line form would, and looks it up in the history where that answers in time:
// what isn't there is found again, later, by the plan.
func (f *Form) readTarget(ctx context.Context, request *runbook.Request, text string) error {
	release, images, err := releaseOf(text)
	if err != nil {
		return err
	}
	request.Release, request.Images = release, images
	app, err := f.Runner.App(request.App)
	if err != nil || len(images) == 0 && (release == "" || release == runbook.Previous) {
		return nil // an app that isn't known is told under its own field; "previous" depends on what the hosts run
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	history, err := f.Runner.History(ctx, request.App)
	if err != nil {
		return nil
	}
	_, err = history.Choose(app, *request, nil)
	var target *runbook.TargetError
	if errors.As(err, &target) {
		return target
	}
	return nil
}
