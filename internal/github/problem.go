package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-github/v92/github"

	"rollbackbot/runbook"
)

// abusePause is how long GitHub is left alone where it wants fewer calls and doesn't say for how long:
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
const abusePause = time.Minute

// problem is what a failed call means: a *runbook.RetryError, a *runbook.DeniedError, or an error that leaves open what
// came of it. need is what the token must be allowed, for who has to mend it.
func problem(err error, repository, need string) error {
	if err == nil {
		return nil
	}
	var limited *github.RateLimitError
	var abused *github.AbuseRateLimitError
	var refused *github.ErrorResponse
	switch {
	case errors.As(err, &limited):
		return &runbook.RetryError{After: max(time.Until(limited.Rate.Reset.Time), time.Second), Err: errors.New("GitHub takes no more calls for now: the rate limit is used up")}
	case errors.As(err, &abused):
		after := abusePause
		if abused.RetryAfter != nil {
			after = max(*abused.RetryAfter, time.Second)
		}
		return &runbook.RetryError{After: after, Err: errors.New("GitHub wants fewer calls")}
	case errors.As(err, &refused) && refused.Response != nil:
		return refusal(refused, repository, need)
	}
	return unknown(err)
}

func refusal(e *github.ErrorResponse, repository, need string) error {
	code := e.Response.StatusCode
	denied := func(format string, args ...any) error {
		return &runbook.DeniedError{Why: fmt.Sprintf(format, args...), Err: answered(e)}
	}
	switch {
	case code == http.StatusTooManyRequests:
		return &runbook.RetryError{After: abusePause, Err: errors.New("GitHub wants fewer calls")}
	case code == http.StatusUnauthorized:
		return denied("GitHub doesn't accept ROLLBACK_GITHUB_TOKEN: it is wrong, expired or revoked; make a new one")
	case code == http.StatusForbidden:
		return denied("ROLLBACK_GITHUB_TOKEN may not do this in %s: it needs %s there", repository, need)
	case code == http.StatusNotFound:
		return denied("GitHub knows no such thing in %s, or ROLLBACK_GITHUB_TOKEN may not see it: check REPOSITORY, and that the token has %s there", repository, need)
	case code == http.StatusGone:
		return denied("issues are switched off in %s: switch them on in its settings", repository)
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout:
		return denied("GitHub refuses it with status %d: %s", code, said(e))
	}
	return answered(e)
}

// answered is GitHub's answer in words, without the address that was asked.
func answered(e *github.ErrorResponse) error {
	return fmt.Errorf("GitHub answered with status %d: %s", e.Response.StatusCode, said(e))
}

func said(e *github.ErrorResponse) string {
	text := e.Message
	for _, detail := range e.Errors {
		text += "; " + detail.Field + " " + detail.Code + " " + detail.Message
	}
	if text == "" {
		text = "nothing more"
	}
	return runbook.Mask(runbook.Truncate(text, 200))
}

// unknown is an error that says nothing of what came of the call. The address that net/http quotes is left out: people's
// e-mail addresses may be in it.
func unknown(err error) error {
	var asked *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &asked) && asked.Timeout():
		return errors.New("GitHub didn't answer in time")
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case asked != nil:
		return fmt.Errorf("GitHub can't be reached: %s", runbook.Mask(asked.Err.Error()))
	}
	return errors.New("GitHub's answer can't be read")
}
