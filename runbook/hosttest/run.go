package hosttest

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// Run tries every promise of the port on an implementation, each on a bench of its own. Where around is given, each case
// runs inside of it, as in testing/synctest.Test.
func Run(t *testing.T, bench func(t *testing.T) Bench, around ...func(t *testing.T, f func(t *testing.T))) {
	for _, c := range Cases() {
		run := func(t *testing.T) {
			err := c.Check(t.Context(), bench(t))
			switch {
			case errors.Is(err, ErrCannot):
				t.Skip(err)
			case err != nil:
				t.Error(err)
			}
		}
		t.Run(c.Promise, func(t *testing.T) {
			for _, wrap := range around {
				inner := run
				run = func(t *testing.T) { wrap(t, inner) }
			}
			run(t)
		})
	}
}

// Case is one promise.
type Case struct {
	Promise string
	check   func(s *scene)
}

// Cases are all promises.
func Cases() []Case {
	return slices.Concat(jobCases, linkCases, lockCases, pinCases, formCases, proofCases, imageCases, lookCases, dependentCases, hostCases)
}

// Check tries the promise on a bench, and gives all that was not as promised. An error that wraps ErrCannot says that the
// bench can't try it.
func (c Case) Check(ctx context.Context, b Bench) (err error) {
	s := &scene{ctx: ctx, Bench: b, host: b.Hosts().On(b.App(), b.Host())}
	defer func() {
		switch stopped := recover(); stopped {
		case nil, stop{}:
			err = errors.Join(s.wrong...)
		default:
			panic(stopped)
		}
	}()
	c.check(s)
	return nil
}
