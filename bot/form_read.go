package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// read makes the request that a sent form asks for, as the line that says the same would. What can be judged without
// asking a host is: wrong says, by field, what has to be put right; then the request is of no use.
func (f *Form) read(ctx context.Context, v viewPayload, by string) (request runbook.Request, wrong map[string]string) {
	wrong = map[string]string{}
	request = runbook.Request{
		App: orElse(v.field(fieldApp), v.origin().App), By: by, Owner: v.field(fieldOwner),
	}
	f.readApp(&request, wrong)
	readReason(&request, v, wrong)
	migration, ok := runbook.ParseMigration(v.field(fieldMigration))
	if !ok {
		wrong[fieldMigration] = "Choose none, yes or unknown."
	}
	request.Migration = string(migration)
	if !isPerson(request.Owner) {
		wrong[fieldOwner] = "Somebody has to own the follow-up investigation: choose a person."
	}
	f.readRelease(ctx, &request, v, wrong)
	return request, wrong
}

// firstWrong is what is wrong in the first field that isn't right; "" where all are.
func firstWrong(wrong map[string]string) string {
	for _, field := range formFields {
		if why := wrong[field]; why != "" {
			return why
		}
	}
	return ""
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

// readReason joins the person's words and the criteria that they ticked, a line each.
func readReason(request *runbook.Request, v viewPayload, wrong map[string]string) {
	typed := v.field(fieldReason)
	if n := utf8.RuneCountInString(typed); n > maxInputRunes {
		wrong[fieldReason] = fmt.Sprintf("These are %d characters, and at most %d can be taken. The rest may follow in the thread.", n, maxInputRunes)
	}
	var lines []string
	if said := prose(escape(cleanText(typed)), true); said != "" {
		lines = append(lines, said)
	}
	ticked := v.checked(fieldCriteria)
	for _, name := range criteriaNames {
		if slices.Contains(ticked, string(name)) {
			lines = append(lines, name.Text())
		}
	}
	for _, value := range ticked {
		if !slices.Contains(criteriaNames, runbook.CriterionName(value)) {
			wrong[fieldCriteria] = fmt.Sprintf("%q is none of the runbook's criteria.", runbook.Truncate(value, 50))
		}
	}
	request.Reason = orElse(strings.Join(lines, "\n"), runbook.NotGiven)
}

// readRelease reads the release as the one-line form would, and looks it up in the history where that answers in time:
// what isn't there is found again, later, by the plan.
func (f *Form) readRelease(ctx context.Context, request *runbook.Request, v viewPayload, wrong map[string]string) {
	field, text := fieldRelease, v.field(fieldRelease)
	if other := strings.TrimSpace(v.field(fieldOther)); other != "" {
		if text != "" && text != runbook.Previous && text != other {
			wrong[fieldOther] = "Another release is chosen above: leave this empty, or choose the default there."
			return
		}
		field, text = fieldOther, other
	}
	release, images, err := releaseOf(text)
	if err == nil {
		request.Release, request.Images = release, images
		err = f.judge(ctx, *request, v.origin())
	}
	if err != nil {
		wrong[field] = runbook.Truncate(Sentence(err), maxFieldError)
	}
}

// judge says why a release can't be gone to as far as the history tells, or nil. An app that isn't known is told under
// its own field.
func (f *Form) judge(ctx context.Context, request runbook.Request, shown formOrigin) error {
	app, err := f.Runner.App(request.App)
	if err != nil {
		return nil
	}
	if shown.Shown != "" && shown.Shown != request.App {
		return &runbook.RefusedError{Why: fmt.Sprintf("The releases shown were those of %s, and you ask for %s. Choose again from its own.", shown.Shown, request.App)}
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	history, err := f.Runner.History(ctx, request.App)
	if err != nil {
		return nil
	}
	if len(request.Images) == 0 && (request.Release == "" || request.Release == runbook.Previous) {
		return sameDefault(history, shown.Default)
	}
	target, err := history.Choose(app, request, nil)
	var none *runbook.TargetError
	switch {
	case errors.As(err, &none):
		return none
	case err == nil && len(target.Gone) > 0:
		return &runbook.RefusedError{Why: fmt.Sprintf("%s can't be gone to any more: %s.", shownName(target.Name()), barredWhy(target))}
	}
	return nil
}

// sameDefault refuses the default where it is another release by now than the one that was shown.
func sameDefault(history history.History, shown string) error {
	if shown == "" {
		return nil // nobody was shown one; what it means depends on what the hosts run, which the plan finds
	}
	now := history.Choices(time.Now()).Default
	switch {
	case now == nil:
		return &runbook.RefusedError{Why: "The default that was shown can't be gone to any more, and no other release is known-good. Choose again."}
	case now.ID != shown:
		return &runbook.RefusedError{Why: fmt.Sprintf("The default has changed since this form was filled: it is %s now. Look again, and choose.", shownName(now.Name()))}
	}
	return nil
}
