package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// migrate brings the schema, a number in a file, to the one that the image wants. Like real migration tools it
// refuses a schema from its own future: that is how a rollback that starts it breaks the stack.
func migrate(file, want string) error {
	wanted, err := strconv.Atoi(want)
	if err != nil {
		return fmt.Errorf("SCHEMA: %w", err)
	}
	current, err := schema(file)
	if err != nil {
		return err
	}
	if current > wanted {
		return fmt.Errorf("the schema is at %d, this release knows it up to %d", current, wanted)
	}
	return os.WriteFile(file, []byte(want+"\n"), 0o644)
}

// schema is the number in the file, 0 for an empty database.
func schema(file string) (int, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}
