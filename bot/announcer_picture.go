package bot

import (
	"context"
	"fmt"
	"time"

	"rollbackbot/runbook"
)

const (
	// pictureTimeout bounds the upload of a picture: a decoration is not worth more.
	pictureTimeout = 20 * time.Second
	// pictureTries is how often a message with a picture is posted. Slack reads an upload in the background, and refuses
	// a message with a file that it hasn't read: https://docs.slack.dev/reference/block-kit/composition-objects/slack-file-object
	pictureTries    = 4
	pictureInterval = time.Second
)

// postPicture posts what the error rate came to, with its picture, or with the words alone where that can't be had. The
// picture is part of the one message, so that it is found by the message's metadata, and there once.
func (a *Announcer) postPicture(ctx context.Context, n runbook.Notice) (runbook.Post, error) {
	log := a.log.With().Str("rollback_id", n.Rollback.ID).Str("notice", n.Key).Logger()
	picture, err := a.uploadPicture(ctx, n)
	if err != nil {
		log.Warn().Err(err).Msg("the picture could not be uploaded; the thread has its values in words")
	}
	for try := 1; picture.file != "" && try <= pictureTries; try++ {
		at, err := a.postWherever(ctx, n, marked(n.Rollback.ID, a.noticed(n, errorRateMessage(n.Rollback, n.Judged, picture))))
		if !isCode(err, "invalid_blocks") {
			return at, err
		}
		log.Info().Err(err).Int("try", try).Msg("Slack doesn't take the picture yet")
		if sleep(ctx, pictureInterval) != nil {
			return runbook.Post{}, ctx.Err()
		}
	}
	return a.postWherever(ctx, n, a.message(n))
}

// uploadPicture draws a notice's picture and brings it to Slack, where nobody sees it until a message has it.
func (a *Announcer) uploadPicture(ctx context.Context, n runbook.Notice) (uploaded, error) {
	if a.cfg.ErrorRate == nil {
		return uploaded{}, nil
	}
	content, alt, err := a.draw(n)
	if err != nil {
		return uploaded{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, pictureTimeout)
	defer cancel()
	name := fmt.Sprintf("%s-%s.png", n.Key, n.Rollback.ID)
	there, err := a.upload(ctx, "", "", file{name: name, title: name, alt: alt, content: content})
	return uploaded{file: there.TS, alt: alt}, err
}

// draw draws, and lives through whatever goes wrong there: the next start would draw the same again.
func (a *Announcer) draw(n runbook.Notice) (content []byte, alt string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("draw the picture: %v", r)
		}
	}()
	return a.cfg.ErrorRate(n.Rollback, n.Judged)
}
