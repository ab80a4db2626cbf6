package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/journal"
)

// listen hears what people say while no bot acts for the journal: where one does, it hears, and puts what is about the
// drill into the inbox. Nothing else than that is heard here, since nobody would work it off.
func (d *drillProcess) listen(ctx context.Context) {
	for {
		acts, err := d.served(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Warn().Err(err).Msg("it could not be seen whether a bot acts; trying again")
		case err == nil && !acts:
			d.hear(ctx)
		}
		if !waited(ctx, drillEars) {
			return
		}
	}
}

// hear keeps sockets to Slack until a bot acts.
func (d *drillProcess) hear(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	socket := &bot.Socket{API: d.directory.API, Handle: d.handler.Handle, Log: component(d.log, "socket")}
	d.setSocket(socket)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { socket.Run(ctx) })
	for waited(ctx, drillEars) {
		if acts, err := d.served(ctx); err == nil && acts {
			d.setSocket(nil)
			return
		}
	}
}

func (d *drillProcess) setSocket(s *bot.Socket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.socket = s
}

// connected reports whether this process itself hears what people say.
func (d *drillProcess) connected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.socket != nil && d.socket.State().Connected
}

// waited waits for a while; false where ctx ended before.
func waited(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// served reports whether a bot acts for the journal: whoever gets the ownership knows that none does, and gives it back.
func (d *drillProcess) served(ctx context.Context) (bool, error) {
	owner, err := d.store.Own(ctx)
	var owned *journal.OwnedError
	switch {
	case err == nil:
		owner.Release()
		return false, nil
	case errors.As(err, &owned):
		return true, nil
	}
	return false, err
}

// heard waits until somebody hears what people say.
func (d *drillProcess) heard(ctx context.Context) error {
	for deadline := time.Now().Add(drillHeard); ; {
		if d.connected() {
			return nil
		}
		if acts, err := d.served(ctx); err == nil && acts {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("nobody would hear what people say: no socket to Slack opens, and no bot acts; `rollbackbot doctor` says why")
		}
		if !waited(ctx, drillLook) {
			return ctx.Err()
		}
	}
}
