package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// formCallback is the form's callback_id.
const formCallback = "rollback_form"

// The form's fields: each one is its block's and its action's ID.
const (
	fieldApp       = "app"
	fieldRelease   = "release"
	fieldOther     = "other" // a release that is not among those offered, as the line takes it
	fieldCriteria  = "criteria"
	fieldReason    = "reason"
	fieldMigration = "migration"
	fieldOwner     = "owner"
)

// formFields is the order in which they stand.
var formFields = []string{fieldApp, fieldRelease, fieldOther, fieldCriteria, fieldReason, fieldMigration, fieldOwner}

const (
	// historyTimeout bounds reading the history while a form waits: Slack waits 3 s in all, and storing may take 2 of them.
	historyTimeout = 500 * time.Millisecond
	// fillTimeout bounds filling a form that is open: after that it stays as it is.
	fillTimeout = 10 * time.Second
)

// Form is the form that the command opens when it is typed alone. It asks for what the one-line form has clauses for.
//
// It opens without having read anything, since its trigger is good for 3 s, and could be sent so; then it is filled with
// what is known of the app, and again when another app is chosen in it.
type Form struct {
	API    *slack.Client
	Apps   []string // the names of all apps, in their order
	Runner Runner
}

// formOrigin travels with the form: where the answer goes, and what the person was shown.
type formOrigin struct {
	Channel     string `json:"channel"`
	ResponseURL string `json:"response_url"`
	App         string `json:"app,omitempty"`     // where there is no field for it
	Shown       string `json:"shown,omitempty"`   // the app whose releases are offered
	Default     string `json:"default,omitempty"` // the ID of the release that "previous" meant then
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

// open shows the form to who typed the command, and gives it as it is open now.
func (f *Form) open(ctx context.Context, c commandPayload) (viewPayload, error) {
	return f.show(ctx, c.Trigger, formOrigin{Channel: c.Channel, ResponseURL: c.ResponseURL}, c.User, "")
}

// openFor shows the form with an app chosen to who pressed a button that is in no channel: they are answered in their
// conversation with the bot.
func (f *Form) openFor(ctx context.Context, app, trigger, user string) (viewPayload, error) {
	return f.show(ctx, trigger, formOrigin{}, user, app)
}

func (f *Form) show(ctx context.Context, trigger string, origin formOrigin, user, app string) (viewPayload, error) {
	if len(f.Apps) == 1 {
		origin.App = f.Apps[0]
	}
	opened, err := f.API.OpenViewContext(ctx, trigger, f.view(origin, user, formContent{loading: orElse(origin.App, app)}))
	if err != nil {
		return viewPayload{}, fmt.Errorf("open the form: %w", remedied(err))
	}
	return viewPayload{ID: opened.ID, Hash: opened.Hash, Callback: formCallback, Metadata: opened.PrivateMetadata}, nil
}

// fill shows what is known of an app in an open form; the empty name is that of the only app. A form that changed since
// is left alone.
func (f *Form) fill(ctx context.Context, v viewPayload, user, app string) error {
	origin := v.origin()
	if app = orElse(app, origin.App); app == "" {
		return nil // it is filled when an app is chosen
	}
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	content := formContent{app: app}
	choices, err := f.Runner.Choices(ctx, app)
	if err != nil {
		content.trouble = "What is known of " + app + " could not be read. Type the release; it is looked up when you send this."
	} else {
		content.choices = choices
		origin.Shown, origin.Default = app, ""
		if choices.Default != nil {
			origin.Default = choices.Default.ID
		}
	}
	if _, err := f.API.UpdateViewContext(ctx, f.view(origin, user, content), "", v.Hash, v.ID); err != nil {
		return fmt.Errorf("fill the form: %w", remedied(err))
	}
	return nil
}

// renew fills a form again in which releases of an app are shown.
func (f *Form) renew(ctx context.Context, v viewPayload, user string) error {
	if v.origin().Shown == "" {
		return nil
	}
	return f.fill(ctx, v, user, v.field(fieldApp))
}

// formContent is what is shown in a form.
type formContent struct {
	loading string // the app that is being looked up
	app     string // the app that was
	choices runbook.Choices
	trouble string // why nothing is known of it
}

func (f *Form) view(origin formOrigin, user string, content formContent) slack.ModalViewRequest {
	var blocks []slack.Block
	if origin.App == "" {
		blocks = append(blocks, f.appField(orElse(content.app, content.loading)))
	}
	blocks = append(blocks, releaseFields(content)...)
	blocks = append(blocks, criteriaFields(content)...)
	blocks = append(blocks, reasonField(), migrationField(), ownerField(user))
	for i, block := range blocks {
		if _, input := block.(*slack.InputBlock); !input {
			setID(block, fmt.Sprintf("text_%d", i))
		}
	}
	metadata, _ := json.Marshal(origin) // strings always marshal
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: formCallback, PrivateMetadata: string(metadata),
		Title: label("Roll a release back"), Submit: label("Ask for it"), Close: label("Cancel"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}
