package runbook

import (
	"context"
	"sync"
	"time"
)

// eyes are what an Observer remembers of an app's hosts from its last look, so that the next one asks little: docker for
// its list of containers and for how each of them is, and the file of the pins. Compose, which costs a host five times as
// much (measured), is asked what the project is called at the first look and then once in a while.
type eyes struct {
	recall recall
	mu     sync.Mutex
	asked  map[Host]time.Time // when compose was asked
}

// composeInterval is how long it is believed that a project keeps its name. A renamed one has no containers under its
// former name, which is found out at once.
const composeInterval = time.Hour

// sights looks at every host at once.
func (o Observer) sights(ctx context.Context, a App, e *eyes) ([]Sight, error) {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	sights := make([]Sight, len(a.Hosts))
	var functions []func(context.Context) error
	for i, host := range a.Hosts {
		functions = append(functions, func(ctx context.Context) (err error) {
			target := o.Hosts.Target(host)
			var pins []Pin
			err = together(ctx,
				func(ctx context.Context) (err error) { sights[i], err = e.look(ctx, target, host, a); return err },
				func(ctx context.Context) (err error) { pins, err = pinsOn(ctx, target, a); return err })
			sights[i].Pins = pins
			return err
		})
	}
	return sights, together(ctx, functions...)
}

// pinsOn are the pins as they stand in their file. Only their lines leave the host: the others are secrets. nil where the
// file can't be read.
func pinsOn(ctx context.Context, target Target, a App) ([]Pin, error) {
	result, err := target.Run(ctx, readPinLines(a))
	if err != nil || result.Status > 1 { // grep's 1: none of them is there
		return nil, err
	}
	return ReadPins(result.Stdout, a), nil
}

func (e *eyes) look(ctx context.Context, target Target, host Host, a App) (sight Sight, err error) {
	known, began := e.recall.of(host), time.Now()
	if known.sight.Project != "" && len(known.sight.ids) > 0 && time.Since(e.askedAt(host)) < composeInterval {
		sight, err = lookAt(ctx, target, host, a, rendered{Project: known.sight.Project}, known)
		if err == nil && len(sight.ids) > 0 {
			e.recall.saw(host, sight, began)
			return sight, nil
		}
		if err != nil {
			return Sight{}, err
		}
	}
	if sight, err = look(ctx, target, host, a); err != nil {
		return Sight{}, err
	}
	e.recall.saw(host, sight, began)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.asked == nil {
		e.asked = map[Host]time.Time{}
	}
	e.asked[host] = began
	return sight, nil
}

func (e *eyes) askedAt(host Host) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[host]
}
