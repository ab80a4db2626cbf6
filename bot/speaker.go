package bot

import (
	"context"

	"rollbackbot/runbook"
)

// Speaker answers people, and leads them to what the bot said. The Announcer is one.
type Speaker interface {
	// Private says something that only the person who is answered sees.
	Private(ctx context.Context, to Reply, m Message) error
	// Permalink is the address of a message.
	Permalink(ctx context.Context, at runbook.Post) (string, error)
}

var _ Speaker = (*Announcer)(nil)
