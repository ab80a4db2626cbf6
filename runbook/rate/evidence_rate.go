package rate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

const (
	// errorRateSpread is how far apart the earliest and the latest instant may be at which a release came up: with more,
	// "within 10 minutes of deployment" says nothing.
	errorRateSpread = 5 * time.Minute
	// minuteReadings is how many readings each minute after a release came up is cut into.
	minuteReadings = 6
)

// Of asks for the error rate after the release that runs came up; nothing is measured where nobody can be asked, or
// where it is not known when that was.
func Of(ctx context.Context, ask runbook.RateEvidence, a runbook.App, h history.History, running *runbook.Release) runbook.RateSeen {
	if ask == nil {
		return runbook.RateSeen{}
	}
	if running == nil {
		return runbook.RateSeen{Detail: "the hosts don't all run one known release"}
	}
	from, until, by, problem := h.UsualBefore(running.Images)
	if problem == "" && by.Sub(until) > errorRateSpread {
		problem = fmt.Sprintf("it came up between %s and %s, and nobody saw when", runbook.UTC(until), runbook.UTC(by))
	}
	if problem != "" {
		return runbook.RateSeen{Detail: problem}
	}
	return ask(ctx, a, runbook.RateSpan{From: from, Until: until, By: by})
}

// MeasureRate is a RateEvidence by whatever reads error rates: a release is above its baseline where in any full minute of
// the first ten after it came up the median is above what ERROR_RATE_TOLERANCE and ERROR_RATE_FLOOR let count as back to
// it. Whatever can't be read is not measured, with why, and never "no". nil where nothing reads them.
func MeasureRate(c runbook.ErrorRateChecker) runbook.RateEvidence {
	if c == nil {
		return nil
	}
	return func(ctx context.Context, a runbook.App, span runbook.RateSpan) runbook.RateSeen {
		if a.ErrorRate.Query == "" {
			return runbook.RateSeen{}
		}
		ctx, cancel := context.WithTimeout(ctx, runbook.RateTimeout)
		defer cancel()
		now := time.Now()
		end := span.By.Add(runbook.ErrorRateWithin)
		over := !now.Before(end)
		if !over {
			end = now
		}
		minute := min(judgedEnd, a.ErrorRate.Window)
		var (
			usual   runbook.Baseline
			samples []runbook.Sample
			failed  error // the readings
			gone    error // the one of now
		)
		_ = parallel.Do(ctx,
			func(ctx context.Context) error { usual, _ = readUsual(ctx, c, a, span.From, span.Until); return nil },
			func(ctx context.Context) error {
				samples, failed = c.Between(ctx, a, span.Until, end, StepOf(minute, minuteReadings))
				return nil
			},
			func(ctx context.Context) error {
				if !over { // a rate over minutes goes on for an app that has vanished
					_, gone = c.Now(ctx, a)
				}
				return nil
			},
		)
		switch {
		case usual.Problem != "":
			return runbook.RateSeen{Detail: "there is no baseline: " + usual.Problem}
		case failed != nil:
			return runbook.RateSeen{Detail: whyNoRate(failed)}
		}
		return judgeMinutes(a.ErrorRate, usual, samples, minute, end, over, gone)
	}
}

func whyNoRate(err error) string {
	var none *runbook.NoRateError
	if errors.As(err, &none) {
		return runbook.Mask(none.Why)
	}
	return "the error rate could not be read"
}

// judgeMinutes judges the time since the baseline's end, minute by minute. over says that no more of it is to come; gone
// is why there is no error rate just now, where it isn't.
func judgeMinutes(e runbook.ErrorRate, usual runbook.Baseline, samples []runbook.Sample, minute time.Duration, end time.Time, over bool, gone error) runbook.RateSeen {
	limit := max(usual.Rate*(1+e.Tolerance), e.Floor)
	tail := fmt.Sprintf("usual is %s, and up to %s counts as usual", runbook.Percent(usual.Rate), runbook.Percent(limit))
	highest, full := runbook.Sample{Rate: -1}, 0
	for from := usual.Until; !from.Add(minute).After(end); from = from.Add(minute) {
		full++
		var within []runbook.Sample
		for _, s := range samples {
			if !s.At.Before(from) && s.At.Before(from.Add(minute)) {
				within = append(within, s)
			}
		}
		if len(within)*2 < minuteReadings {
			continue
		}
		if m := median(within); m > highest.Rate {
			highest = runbook.Sample{At: from, Rate: m}
		}
	}
	gap := longestGap(samples, end, end.Sub(usual.Until))
	switch {
	case highest.Rate > limit:
		return runbook.RateSeen{Measured: true, Above: true, Detail: fmt.Sprintf("%s in the %s from %s on; %s", runbook.Percent(highest.Rate), runbook.ShortSpan(minute), runbook.UTC(highest.At), tail)}
	case full == 0:
		return runbook.RateSeen{Detail: fmt.Sprintf("it has not run for a %s yet", runbook.ShortSpan(minute))}
	case gap*judgedGaps > minute && highest.Rate < 0 || gap > minute:
		return runbook.RateSeen{Detail: fmt.Sprintf("for %s of the time since it came up there is no error rate", gap.Round(time.Second))}
	case gone != nil:
		return runbook.RateSeen{Detail: "there is no error rate just now: " + whyNoRate(gone)}
	}
	so := ""
	if !over {
		so = " so far"
	}
	return runbook.RateSeen{Measured: true, Detail: fmt.Sprintf("at most %s in any %s%s; %s", runbook.Percent(highest.Rate), runbook.ShortSpan(minute), so, tail)}
}
