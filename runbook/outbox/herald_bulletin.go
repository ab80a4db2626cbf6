package outbox

import (
	"context"
	"errors"
	"fmt"

	"rollbackbot/runbook"
)

// tellBulletins posts the bulletins that are missing, and brings those up to date that don't stand any more. One that can't
// be said keeps no other from being said.
func (h *Herald) tellBulletins(ctx context.Context) error {
	list, err := h.bulletins(ctx)
	for _, b := range list {
		failed := h.tellBulletin(ctx, b)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("say %s: %w", b.Key, failed))
		}
		if ctx.Err() != nil || slowDown(failed) {
			break
		}
	}
	return err
}

func (h *Herald) tellBulletin(ctx context.Context, b runbook.Bulletin) error {
	n := runbook.Notice{Key: b.Key, Kind: runbook.NoticeBulletin, Bulletin: b}
	if b.Withdrawn == "" {
		if b.Post.TS != "" {
			return nil
		}
		return h.post(ctx, b.Key, &untold{app: b.App, notice: n, intended: b.Post.IntendedAt})
	}
	at := b.Post
	if at.TS == "" && !at.IntendedAt.IsZero() {
		found := false
		var err error
		if at, found, err = h.announcer.Find(ctx, n, b.Post.IntendedAt); err != nil {
			return err
		}
		if found {
			if err := h.append(ctx, b.App, runbook.NoticePosted{Key: n.Key, Channel: at.Channel, TS: at.TS}); err != nil {
				return err
			}
		}
	}
	if at.TS != "" { // one that was withdrawn before anybody could read it is never said
		if err := h.announcer.Update(ctx, at, n); err != nil {
			return err
		}
	}
	return h.append(ctx, b.App, runbook.NoticeClosed{Key: n.Key})
}
