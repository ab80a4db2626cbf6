package bot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// file is something to be uploaded.
type file struct {
	name    string // as people save it; it tells the file from others in the thread
	title   string
	comment string // above it, where it is shared; plain text
	alt     string // what a picture says, for who doesn't see it
	content []byte // at least one byte
}

// upload puts a file into a thread; without a channel it is brought to Slack, and nobody sees it until a message has it.
// Slack shares it a moment after its answer, and doesn't say as which message: the file's ID stands for that. After an error
// nobody knows whether it is there.
func (a *Announcer) upload(ctx context.Context, channel, thread string, f file) (runbook.Post, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*callTimeout) // three calls
	defer cancel()
	place, err := a.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: f.name, FileSize: len(f.content), AltTxt: f.alt})
	if err != nil {
		return runbook.Post{}, fmt.Errorf("ask Slack where to upload to: %w", remedied(err))
	}
	if err := a.api.UploadToURL(ctx, slack.UploadToURLParameters{UploadURL: place.UploadURL, Reader: bytes.NewReader(f.content), Filename: f.name}); err != nil {
		return runbook.Post{}, fmt.Errorf("upload: %w", withoutURL(err))
	}
	share := slack.CompleteUploadExternalParameters{Files: []slack.FileSummary{{ID: place.FileID, Title: f.title}}, Channel: channel, ThreadTimestamp: thread}
	if f.comment != "" {
		share.InitialComment = escape(f.comment)
	}
	if _, err := a.api.CompleteUploadExternalContext(ctx, share); err != nil {
		return runbook.Post{}, fmt.Errorf("complete the upload: %w", remedied(err))
	}
	return runbook.Post{Channel: channel, TS: place.FileID}, nil
}

// withoutURL is an error without the address that it is about: whoever has an upload's address may upload.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// holds reports whether a message is one that shares a file of that name.
func holds(m slack.Message, name string) bool {
	for _, f := range m.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}
