package demohost

import (
	"errors"
	"io/fs"
	"os"
)

// SetSick makes the api answer 503 in every version, as when its database is away, or lets it answer by itself again.
func (h *Host) SetSick(sick bool) error {
	if sick {
		return os.WriteFile(h.folder.sick(), nil, 0o600)
	}
	if err := os.Remove(h.folder.sick()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f folder) isSick() bool {
	_, err := os.Stat(f.sick())
	return err == nil
}
