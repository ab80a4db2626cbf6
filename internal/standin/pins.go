package standin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"rollbackbot/runbook"
)

// PinsReading is the pins file as it was read.
type PinsReading struct {
	Now     []runbook.Pin // in the services' order
	Version string        // of the whole file: another one has another
}

// PinsFile is the pins file of a host. *Host is one.
type PinsFile interface {
	// ReadPins reads the file. after says that a WritePins was lost, and faults that were ordered of EditPins count.
	ReadPins(ctx context.Context, file string, after bool) (PinsReading, error)
	// WritePins changes pins of the version that was read: a *runbook.LeaseError where the file is another one by now.
	WritePins(ctx context.Context, l runbook.Lease, file, version string, change []runbook.Pin) error
}

// EditPins is what the port promises of it, of any PinsFile.
func EditPins(ctx context.Context, on PinsFile, l runbook.Lease, file string, edit func([]runbook.Pin) ([]runbook.Pin, error)) error {
	before, err := on.ReadPins(ctx, file, false)
	if err != nil {
		return err
	}
	change, err := edit(slices.Clone(before.Now))
	if err != nil || written(before.Now, change) {
		return err
	}
	err = on.WritePins(ctx, l, file, before.Version, change)
	if !errors.Is(err, runbook.ErrLost) {
		return err
	}
	switch after, look := on.ReadPins(ctx, file, true); {
	case look != nil:
		return fmt.Errorf("%w; %v", err, look)
	case !written(after.Now, change):
		return err
	}
	return nil
}

// written reports whether the pins say already what a change would have them say.
func written(now, change []runbook.Pin) bool {
	return !slices.ContainsFunc(change, func(pin runbook.Pin) bool {
		i := slices.IndexFunc(now, func(is runbook.Pin) bool { return is.Variable == pin.Variable })
		return i < 0 && !pin.Absent || i >= 0 && now[i] != pin
	})
}

// EditPins gives edit the pins as they stand, and writes those that it gives.
func (h *Host) EditPins(ctx context.Context, l runbook.Lease, file string, edit func([]runbook.Pin) ([]runbook.Pin, error)) error {
	return EditPins(ctx, h, l, file, edit)
}

// ReadPins reads the pins file.
func (h *Host) ReadPins(ctx context.Context, file string, after bool) (reading PinsReading, err error) {
	method := map[bool]string{true: "EditPins"}[after]
	err = h.do(ctx, call{method: method}, func(s *State) error {
		if s.Unreadable || file == "" || file != s.PinsFile && file != s.PinsLink {
			return fmt.Errorf("read the pins on %s: %s can't be read", h.name, file)
		}
		reading = PinsReading{s.pins(), s.pinsVersion()}
		return nil
	})
	return reading, err
}

// WritePins changes the pins file.
func (h *Host) WritePins(ctx context.Context, l runbook.Lease, _, version string, change []runbook.Pin) error {
	return h.act(ctx, call{method: "EditPins", patience: actPatience}, l, func(s *State) error {
		switch {
		case version != s.pinsVersion():
			return h.leaseError(runbook.PinsMoved)
		case s.PinsFault != "":
			return h.leaseError(s.PinsFault)
		}
		if s.Pins == nil {
			s.Pins, s.Other = map[string]string{}, "" // it is a new file
		}
		for _, pin := range change {
			if s.Pins[pin.Variable] = pin.Value; pin.Absent {
				delete(s.Pins, pin.Variable)
			}
		}
		if s.AfterPins != nil {
			s.AfterPins(s)
		}
		return nil
	})
}

// pinsVersion is a hash of all that the file holds.
func (s *State) pinsVersion() string {
	content, err := json.Marshal([]any{s.Pins, s.Other})
	if err != nil {
		panic(err) // strings always encode
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
