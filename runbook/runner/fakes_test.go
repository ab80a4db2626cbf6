package runner

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"rollbackbot/runbook"
)

// fakePeople are who they are, by their IDs.
type fakePeople map[string]runbook.Roles

func (f fakePeople) Roles(_ context.Context, person string) (runbook.Roles, error) {
	roles, ok := f[person]
	if !ok {
		return runbook.Roles{Person: person, Barred: "a guest"}, nil
	}
	roles.Person = person
	return roles, nil
}

// fakeSlack keeps what was posted.
type fakeSlack struct {
	mu    sync.Mutex
	posts []runbook.Notice
	shown map[string]runbook.Notice // what each message shows now, by its key
	away  map[string]error          // what Post answers for messages to a person
	lives []string                  // what was said to happen right now, in updates
	lose  int                       // so many answers of Post are lost after the message was taken
	down  bool
	stuck map[runbook.NoticeKind]time.Duration // how long such notices take
}

var errSlack = errors.New("slack doesn't answer")

func (f *fakeSlack) Post(_ context.Context, n runbook.Notice) (runbook.Post, error) {
	time.Sleep(50*time.Millisecond + f.stuck[n.Kind])
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return runbook.Post{}, errSlack
	}
	if err := f.away[n.To]; err != nil && n.To != "" {
		return runbook.Post{}, err
	}
	f.posts = append(f.posts, n)
	f.show(n)
	if f.lose > 0 {
		f.lose--
		return runbook.Post{}, errSlack
	}
	return runbook.Post{Channel: "C1", TS: strconv.Itoa(len(f.posts))}, nil
}

func (f *fakeSlack) Find(_ context.Context, n runbook.Notice, _ time.Time) (runbook.Post, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return runbook.Post{}, false, errSlack
	}
	for i, p := range f.posts {
		if p.Key == n.Key && p.Rollback.ID == n.Rollback.ID {
			return runbook.Post{Channel: "C1", TS: strconv.Itoa(i + 1)}, true, nil
		}
	}
	return runbook.Post{}, false, nil
}

func (f *fakeSlack) Update(_ context.Context, _ runbook.Post, n runbook.Notice) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return errSlack
	}
	f.lives = append(f.lives, n.Live.Line)
	f.show(n)
	return nil
}

func (f *fakeSlack) show(n runbook.Notice) {
	if f.shown == nil {
		f.shown = map[string]runbook.Notice{}
	}
	f.shown[n.Key] = n
}

// openIn reports whether a message shows its question as open.
func (f *fakeSlack) openIn(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.shown[key]
	return ok && !n.Final()
}

// fakeRoster is who has which role.
type fakeRoster map[runbook.Role][]string

func (f fakeRoster) Members(_ context.Context, role runbook.Role, _ int) ([]string, error) {
	return f[role], nil
}

func (f *fakeSlack) count(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, p := range f.posts {
		if p.Key == key {
			n++
		}
	}
	return n
}
