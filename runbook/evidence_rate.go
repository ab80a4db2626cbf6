package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// RateSpan is when a release came up, and the time before it that counts as usual.
type RateSpan struct {
	From  time.Time // the usual time begins
	Until time.Time // it ends: the release came up no earlier
	By    time.Time // the release ran by then
}

const (
	// errorRateSpread is how far apart the earliest and the latest instant may be at which a release came up: with more,
	// "within 10 minutes of deployment" says nothing.
	errorRateSpread = 5 * time.Minute
	// minuteReadings is how many readings each minute after a release came up is cut into.
	minuteReadings = 6
)

// rateOf asks for the error rate after the release that runs came up; nothing is measured where nobody can be asked, or
// where it is not known when that was.
func rateOf(ctx context.Context, ask RateEvidence, a App, h History, running *Release) RateSeen {
	if ask == nil {
		return RateSeen{}
	}
	if running == nil {
		return RateSeen{Detail: "the hosts don't all run one known release"}
	}
	from, until, by, problem := h.usualBefore(running.Images)
	if problem == "" && by.Sub(until) > errorRateSpread {
		problem = fmt.Sprintf("it came up between %s and %s, and nobody saw when", utc(until), utc(by))
	}
	if problem != "" {
		return RateSeen{Detail: problem}
	}
	return ask(ctx, a, RateSpan{From: from, Until: until, By: by})
}

// MeasureRate is a RateEvidence by whatever reads error rates: a release is above its baseline where in any full minute of
// the first ten after it came up the median is above what ERROR_RATE_TOLERANCE and ERROR_RATE_FLOOR let count as back to
// it. Whatever can't be read is not measured, with why, and never "no". nil where nothing reads them.
func MeasureRate(c ErrorRateChecker) RateEvidence {
	if c == nil {
		return nil
	}
	return func(ctx context.Context, a App, span RateSpan) RateSeen {
		if a.ErrorRate.Query == "" {
			return RateSeen{}
		}
		ctx, cancel := context.WithTimeout(ctx, RateTimeout)
		defer cancel()
		now := time.Now()
		end := span.By.Add(errorRateWithin)
		over := !now.Before(end)
		if !over {
			end = now
		}
		minute := min(judgedEnd, a.ErrorRate.Window)
		var (
			usual   Baseline
			samples []Sample
			failed  error // the readings
			gone    error // the one of now
		)
		_ = together(ctx,
			func(ctx context.Context) error { usual, _ = readUsual(ctx, c, a, span.From, span.Until); return nil },
			func(ctx context.Context) error {
				samples, failed = c.Between(ctx, a, span.Until, end, stepOf(minute, minuteReadings))
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
			return RateSeen{Detail: "there is no baseline: " + usual.Problem}
		case failed != nil:
			return RateSeen{Detail: whyNoRate(failed)}
		}
		return judgeMinutes(a.ErrorRate, usual, samples, minute, end, over, gone)
	}
}

func whyNoRate(err error) string {
	var none *NoRateError
	if errors.As(err, &none) {
		return Mask(none.Why)
	}
	return "the error rate could not be read"
}

// judgeMinutes judges the time since the baseline's end, minute by minute. over says that no more of it is to come; gone
// is why there is no error rate just now, where it isn't.
func judgeMinutes(e ErrorRate, usual Baseline, samples []Sample, minute time.Duration, end time.Time, over bool, gone error) RateSeen {
	limit := max(usual.Rate*(1+e.Tolerance), e.Floor)
	tail := fmt.Sprintf("usual is %s, and up to %s counts as usual", Percent(usual.Rate), Percent(limit))
	highest, full := Sample{Rate: -1}, 0
	for from := usual.Until; !from.Add(minute).After(end); from = from.Add(minute) {
		full++
		var within []Sample
		for _, s := range samples {
			if !s.At.Before(from) && s.At.Before(from.Add(minute)) {
				within = append(within, s)
			}
		}
		if len(within)*2 < minuteReadings {
			continue
		}
		if m := median(within); m > highest.Rate {
			highest = Sample{At: from, Rate: m}
		}
	}
	gap := longestGap(samples, end, end.Sub(usual.Until))
	switch {
	case highest.Rate > limit:
		return RateSeen{Measured: true, Above: true, Detail: fmt.Sprintf("%s in the %s from %s on; %s", Percent(highest.Rate), shortSpan(minute), utc(highest.At), tail)}
	case full == 0:
		return RateSeen{Detail: fmt.Sprintf("it has not run for a %s yet", shortSpan(minute))}
	case gap*judgedGaps > minute && highest.Rate < 0 || gap > minute:
		return RateSeen{Detail: fmt.Sprintf("for %s of the time since it came up there is no error rate", gap.Round(time.Second))}
	case gone != nil:
		return RateSeen{Detail: "there is no error rate just now: " + whyNoRate(gone)}
	}
	so := ""
	if !over {
		so = " so far"
	}
	return RateSeen{Measured: true, Detail: fmt.Sprintf("at most %s in any %s%s; %s", Percent(highest.Rate), shortSpan(minute), so, tail)}
}
