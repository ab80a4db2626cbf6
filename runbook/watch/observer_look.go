package watch

import (
	"context"
	"slices"
	"sync"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// projects are what each host calls an app, as an Observer was told. To ask for that costs a host five times as much as a
// look (measured), so it is asked at the first look and then once in a while.
type projects struct {
	mu    sync.Mutex
	known map[runbook.Host]project
}

type project struct {
	name  string
	asked time.Time
}

// projectInterval is how long it is believed that a project keeps its name. A renamed one has no containers under its
// former name, which is found out at once.
const projectInterval = time.Hour

// viewsTimeout bounds a look at all hosts of an app: as long as a preflight may take.
const viewsTimeout = 30 * time.Second

// views looks at every host at once.
func (o Observer) views(ctx context.Context, a runbook.App, p *projects) ([]runbook.View, error) {
	ctx, cancel := context.WithTimeout(ctx, viewsTimeout)
	defer cancel()
	views := make([]runbook.View, len(a.Hosts))
	var functions []func(context.Context) error
	for i, host := range a.Hosts {
		functions = append(functions, func(ctx context.Context) (err error) {
			views[i], err = p.look(ctx, o.Hosts.On(a, host), host)
			return err
		})
	}
	return views, parallel.Do(ctx, functions...)
}

func (p *projects) look(ctx context.Context, on runbook.AppHost, host runbook.Host) (runbook.View, error) {
	known, began := p.of(host), time.Now()
	if known.name != "" && time.Since(known.asked) < projectInterval {
		view, err := on.Look(ctx, known.name)
		if err != nil || slices.ContainsFunc(view.Services, func(s runbook.ServiceView) bool { return s.Containers > 0 }) {
			return view, err
		}
	}
	view, err := on.Look(ctx, "")
	if err == nil {
		p.note(host, project{name: view.Project, asked: began})
	}
	return view, err
}

func (p *projects) of(host runbook.Host) project {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[host]
}

func (p *projects) note(host runbook.Host, known project) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[runbook.Host]project{}
	}
	p.known[host] = known
}
