package compose

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"rollbackbot/internal/compose/dotenv"
	"rollbackbot/runbook"
)

// pinLines are the pins as they stand in their file. Only their lines leave the host: the others are secrets. nil where
// the file can't be read.
func (h *appHost) pinLines(ctx context.Context, file string) ([]runbook.Pin, error) {
	r, err := h.ask(ctx, readPinLines(h.app, file))
	if err != nil || r.status != 0 && r.status != fileAbsent {
		return nil, err
	}
	return dotenv.ReadPins(r.stdout, h.app), nil
}

// readPinsFile reads the whole file, and gives what a write compares it by: its SHA-256, or "absent".
func (h *appHost) readPinsFile(ctx context.Context, file string) (content []byte, sum string, err error) {
	r, err := h.ask(ctx, readFile(h.app, file))
	switch {
	case err != nil:
		return nil, "", err
	case r.status == fileAbsent:
		return nil, "absent", nil
	case r.status != 0:
		return nil, "", h.problem("Let the SSH user read and write it", "the pins file, %s, can't be read", file)
	}
	return r.stdout, sumOf(r.stdout), nil
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// EditPins reads the file, changes the pins' values in it, and replaces the whole file if it still is what was read. A link
// that was cut leaves it whole, either old or new: so it is looked at again.
func (h *appHost) EditPins(ctx context.Context, lease runbook.Lease, file string, edit func(now []runbook.Pin) ([]runbook.Pin, error)) error {
	content, oldSum, err := h.readPinsFile(ctx, file)
	if err != nil {
		return err
	}
	change, err := edit(dotenv.ReadPins(content, h.app))
	if err != nil {
		return err
	}
	wanted := dotenv.EditPins(content, change)
	if bytes.Equal(wanted, content) {
		return nil
	}
	newSum := sumOf(wanted)
	r, err := h.run(ctx, writePins(h.app.Name, lease, file, oldSum, newSum, wanted))
	if errors.Is(err, runbook.ErrLost) {
		_, now, readErr := h.readPinsFile(ctx, file)
		switch {
		case readErr != nil:
			// What couldn't be looked at says nothing about what was begun: the error must not read as that nothing was.
			return fmt.Errorf("%w; looking at the file again: %v", err, readErr)
		case now == newSum:
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	return guardError(h.host, r)
}
