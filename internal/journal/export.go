package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Export writes the chains of the apps to w as JSON lines, one event a line, each with its hash; without apps, all of
// them. Each chain is written up to where it ended when its last page was read. The format is the package's line format: a *BrokenError where an
// event was changed into something that is no line.
func (s *Store) Export(ctx context.Context, w io.Writer, apps ...string) error {
	if len(apps) == 0 {
		var err error
		if apps, err = s.Apps(ctx); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(w)
	for _, app := range apps {
		err := s.each(ctx, app, "", beforeAll, func(r record, hash string) error {
			return writeLine(out, r, hash)
		}, nothingMore)
		if err != nil {
			return fmt.Errorf("export the journal of %s: %w", app, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export the journal: %w", err)
	}
	return nil
}

func writeLine(out *bufio.Writer, r record, hash string) error {
	// Append never stores such a body, and one line of it would read as several, or as other members.
	if !json.Valid([]byte(r.body)) || strings.ContainsAny(r.body, "\r\n") {
		return &BrokenError{App: r.app, Seq: r.seq, Why: "its body is not JSON on one line: it was changed"}
	}
	_, err := out.Write(append(r.exportLine(hash), '\n'))
	return err
}
