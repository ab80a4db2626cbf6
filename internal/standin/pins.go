package standin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"rollbackbot/runbook"
)

// pinsFile is the file as it was read.
type pinsFile struct {
	pins  map[string]string
	other string
}

func (f pinsFile) is(s *State) bool {
	return maps.Equal(f.pins, s.Pins) && f.other == s.Other && (f.pins == nil) == (s.Pins == nil)
}

// EditPins gives edit the pins as they stand, and writes those that it gives.
func (h *Host) EditPins(ctx context.Context, l runbook.Lease, file string, edit func([]runbook.Pin) ([]runbook.Pin, error)) error {
	before, now, err := h.readPins(ctx, "", file)
	if err != nil {
		return err
	}
	change, err := edit(slices.Clone(now))
	if err != nil {
		return err
	}
	after := edited(before.pins, change)
	if maps.Equal(after, before.pins) {
		return nil
	}
	err = h.act(ctx, call{method: "EditPins", patience: actPatience}, l, func(s *State) error {
		switch {
		case !before.is(s):
			return h.leaseError(runbook.PinsMoved)
		case s.PinsFault != "":
			return h.leaseError(s.PinsFault)
		}
		if s.Pins = maps.Clone(after); before.pins == nil {
			s.Other = "" // it is a new file
		}
		if s.AfterPins != nil {
			s.AfterPins(s)
		}
		return nil
	})
	if errors.Is(err, runbook.ErrLost) {
		return h.seeWritten(ctx, file, after, err)
	}
	return err
}

// seeWritten looks whether pins were written of which that is not known.
func (h *Host) seeWritten(ctx context.Context, file string, want map[string]string, lost error) error {
	switch now, _, err := h.readPins(ctx, "EditPins", file); {
	case err != nil:
		return fmt.Errorf("%w; %v", lost, err)
	case !maps.Equal(now.pins, want):
		return lost
	}
	return nil
}

func (h *Host) readPins(ctx context.Context, method, file string) (is pinsFile, now []runbook.Pin, err error) {
	err = h.do(ctx, call{method: method}, func(s *State) error {
		if s.Unreadable || file == "" || file != s.PinsFile && file != s.PinsLink {
			return fmt.Errorf("read the pins on %s: %s can't be read", h.name, file)
		}
		is, now = pinsFile{maps.Clone(s.Pins), s.Other}, s.pins()
		return nil
	})
	return is, now, err
}

// edited are the pins after a change. What was not there stays so where nothing is written.
func edited(pins map[string]string, change []runbook.Pin) map[string]string {
	after := map[string]string{}
	maps.Copy(after, pins)
	for _, pin := range change {
		if pin.Absent {
			delete(after, pin.Variable)
		} else {
			after[pin.Variable] = pin.Value
		}
	}
	return after
}
