package runbook

import (
	"testing"
	"time"
)

func TestClockFinding(t *testing.T) {
	asked := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		clock time.Duration // after the question was asked; its answer took 10 s
		want  Mark
	}{{0, Fine}, {-30 * time.Second, Fine}, {-31 * time.Second, Wrong}, {40 * time.Second, Fine}, {41 * time.Second, Wrong}} {
		if got := ClockFinding("clock", asked.Add(c.clock), asked, asked.Add(10*time.Second)); got.Mark != c.want {
			t.Errorf("a clock %s after the question: %s, want %s", c.clock, got, c.want)
		}
	}
}
