package runner

import (
	"errors"
	"sync"
	"testing"

	"rollbackbot/runbook"
)

func TestRequest_TwoAtOnceTheLoserLeavesTheWinnerAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		failures := make([]error, 2)
		var both sync.WaitGroup
		for i := range failures {
			both.Go(func() { _, failures[i] = r.Request(t.Context(), w.request(), "") })
		}
		both.Wait()
		var busy *runbook.BusyError
		if (failures[0] == nil) == (failures[1] == nil) || !errors.As(errors.Join(failures...), &busy) {
			t.Errorf("got %v, want one taken and one refused as busy", failures)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %q (%s), want succeeded", rb.Outcome, rb.Why)
		}
	})
}
