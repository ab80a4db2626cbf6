package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"rollbackbot/runbook"
)

// childArgument is the only argument of the child process.
const childArgument = "judge-migrations"

// The child's own limits, should its parent be gone: it ends by itself.
const (
	childLife   = 2 * time.Minute
	childMemory = 512 << 20 // bytes, soft: beyond it the collector works without a pause. PostgreSQL's parser peaks at 255 MB.
	maxMessage  = 16 << 20  // bytes of a request or an answer: maxTotal in base64, with names
)

// question is what the child reads, answer what it writes; one JSON value each.
type question struct {
	Files []runbook.MigrationFile `json:"files"`
}

type answer struct {
	Files []answeredFile `json:"files"` // in the question's order, each of them
}

type answeredFile struct {
	Name       string              `json:"name"`
	Judgements []runbook.Judgement `json:"judgements"`
}

// IsChild reports whether this process was started by Process. main asks it before anything else.
func IsChild(args []string) bool {
	return len(args) == 2 && args[1] == childArgument
}

// RunChild is the child's main, and gives its exit status. The files come from standard input, the judgements go to
// standard output. A program that starts it by hand gets the same.
func RunChild() int {
	debug.SetMemoryLimit(childMemory)
	ctx, stop := context.WithTimeout(context.Background(), childLife)
	defer stop()
	// A parser that hangs looks at no context.
	time.AfterFunc(childLife, func() { os.Exit(1) })
	if err := serve(ctx, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, from io.Reader, to io.Writer) error {
	var q question
	if err := json.NewDecoder(io.LimitReader(from, maxMessage)).Decode(&q); err != nil {
		return fmt.Errorf("read the migration files: %w", err)
	}
	a := answer{Files: make([]answeredFile, len(q.Files))}
	for i, f := range q.Files {
		a.Files[i] = answeredFile{f.Name, Judge(ctx, []runbook.MigrationFile{f})}
	}
	if err := json.NewEncoder(to).Encode(a); err != nil {
		return fmt.Errorf("write the judgements: %w", err)
	}
	return nil
}
