package main_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // holds SQLite's lock

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
	"rollbackbot/internal/standin"
)

// strike is one kind of fault.
type strike struct {
	kind   string
	weight int
	// happen breaks something, and gives what mends it again after a while; nil where nothing has to be mended. what is
	// "" where it is broken already, or not there.
	happen func(r *rand.Rand) (what string, lasts time.Duration, mend func())
}

// mending is what is due.
type mending struct {
	at   time.Time
	mend func()
}

// between is the mean time between two faults.
const between = 2500 * time.Millisecond

// storm breaks one thing after the other until the time is over, and mends everything.
func (h *hour) storm() {
	s := &storm{hour: h, random: h.random(0), busy: map[string]bool{}}
	kinds := s.kinds()
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	end := time.Now().Add(h.duration)
	for next := time.Now().Add(between); next.Before(end); next = time.Now().Add(s.pause()) {
		s.mendUntil(next)
		chosen := s.random.IntN(total)
		i := slices.IndexFunc(kinds, func(k strike) bool { chosen -= k.weight; return chosen < 0 })
		s.strike(kinds[i])
	}
	for len(s.due) > 0 {
		s.mendUntil(s.due[0].at)
	}
	h.ill.be(well)
}

type storm struct {
	*hour
	random *rand.Rand
	due    []mending       // the next one first
	busy   map[string]bool // what is broken
}

// pause is the time until the next fault: mostly a moment, now and then long enough for everybody to recover.
func (s *storm) pause() time.Duration {
	if s.random.IntN(15) == 0 {
		return 4 * between
	}
	return min(time.Duration(s.random.ExpFloat64()*float64(between)), 4*between)
}

// mendUntil mends what is due before an instant, and waits for that.
func (s *storm) mendUntil(until time.Time) {
	for len(s.due) > 0 && !s.due[0].at.After(until) {
		time.Sleep(time.Until(s.due[0].at))
		mend := s.due[0].mend
		s.due = s.due[1:]
		mend()
	}
	time.Sleep(time.Until(until))
}

func (s *storm) strike(k strike) {
	what, lasts, mend := k.happen(s.random)
	if what == "" {
		return
	}
	s.note("%s: %s, %s", k.kind, what, lasts.Round(10*time.Millisecond))
	s.count(s.strikes, k.kind)
	if mend == nil {
		return
	}
	s.busy[what] = true
	s.due = append(s.due, mending{time.Now().Add(lasts), func() {
		mend()
		delete(s.busy, what)
		s.note("%s: %s is over", k.kind, what)
	}})
	slices.SortStableFunc(s.due, func(a, b mending) int { return a.at.Compare(b.at) })
}

// lasting is a time between two.
func lasting(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func (s *storm) kinds() []strike {
	all := []strike{
		{"kill", 8, s.ended(syscall.SIGKILL, "kill")},
		{"term", 5, s.ended(syscall.SIGTERM, "term")},
		{"stop", 6, s.stopped},
		{"cut", 10, s.cut},
		{"freeze-host", 4, s.hostFrozen},
		{"refuse-host", 4, s.hostRefused},
		{"slack", 10, s.slackIll},
		{"sockets", 8, s.sockets},
		{"again", 5, s.again},
		{"docker", 6, s.engineFails},
		{"lease", 2, s.leaseSpoiled},
	}
	switch {
	case s.database != nil:
		all = append(all, strike{"restart-database", 3, s.databaseStopped}, strike{"freeze-database", 3, s.databaseFrozen})
	default:
		all = append(all, strike{"lock-database", 4, s.databaseLocked})
	}
	return slices.DeleteFunc(all, func(k strike) bool {
		return len(s.hourOptions.kinds) > 0 && !slices.Contains(s.hourOptions.kinds, k.kind)
	})
}

// ended ends a process, which is started again.
func (s *storm) ended(signal syscall.Signal, told string) func(*rand.Rand) (string, time.Duration, func()) {
	return func(r *rand.Rand) (string, time.Duration, func()) {
		who := s.replicas[r.IntN(len(s.replicas))]
		name := fmt.Sprintf("replica %d", who.number)
		if who.elder || s.busy[name] || !who.signal(signal, told) {
			return "", 0, nil
		}
		return name, 0, nil
	}
}

// stopped stops a process where it stands: mostly for a moment, at times for longer than any lease.
func (s *storm) stopped(r *rand.Rand) (string, time.Duration, func()) {
	who := s.replicas[r.IntN(len(s.replicas))]
	lasts := lasting(r, time.Second, 6*time.Second)
	if r.IntN(3) == 0 {
		lasts = lasting(r, 6*time.Second, 25*time.Second)
	}
	name := fmt.Sprintf("replica %d", who.number)
	if s.busy[name] || !who.signal(syscall.SIGSTOP, "") {
		return "", 0, nil
	}
	return name, lasts, func() { who.signal(syscall.SIGCONT, "") }
}

func (s *storm) anyHost(r *rand.Rand) (host *practice.Host, name string) {
	all := s.hosts()
	host = all[r.IntN(len(all))]
	return host, string(host.Host)
}

func (s *storm) cut(r *rand.Rand) (string, time.Duration, func()) {
	host, name := s.anyHost(r)
	host.Link().Cut()
	return "the links to " + name, 0, nil
}

func (s *storm) hostFrozen(r *rand.Rand) (string, time.Duration, func()) {
	host, name := s.anyHost(r)
	lasts := lasting(r, time.Second, 20*time.Second)
	if s.busy[name] {
		return "", 0, nil
	}
	host.Link().Freeze(true)
	return name, lasts, func() { host.Link().Freeze(false) }
}

func (s *storm) hostRefused(r *rand.Rand) (string, time.Duration, func()) {
	host, name := s.anyHost(r)
	lasts := lasting(r, time.Second, 15*time.Second)
	if s.busy[name] {
		return "", 0, nil
	}
	s.mustLink(host.Link().Refuse(true))
	host.Link().Cut()
	return name, lasts, func() { s.mustLink(host.Link().Refuse(false)) }
}

func (s *storm) mustLink(err error) {
	if err != nil {
		s.violation("the test's own host: %v", err)
	}
}

func (s *storm) databaseStopped(r *rand.Rand) (string, time.Duration, func()) {
	mode := []string{"fast", "immediate"}[r.IntN(2)]
	lasts := lasting(r, time.Millisecond, 10*time.Second)
	if s.busy["the database"] {
		return "", 0, nil
	}
	s.database.Stop(s.tb, mode)
	return "the database", lasts, func() { s.database.Start(s.tb) }
}

func (s *storm) databaseFrozen(r *rand.Rand) (string, time.Duration, func()) {
	lasts := lasting(r, time.Second, 12*time.Second)
	if s.busy["the database"] {
		return "", 0, nil
	}
	s.database.Freeze(s.tb)
	return "the database", lasts, s.database.Thaw
}

// databaseLocked holds SQLite's lock for writing, as a backup or a person's shell does.
func (s *storm) databaseLocked(r *rand.Rand) (string, time.Duration, func()) {
	lasts := lasting(r, 100*time.Millisecond, 8*time.Second)
	if s.busy["the database"] {
		return "", 0, nil
	}
	unlock, err := lockSQLite(s.file)
	if err != nil {
		s.note("the database can't be locked: %v", err)
		return "", 0, nil
	}
	return "the database", lasts, unlock
}

func lockSQLite(file string) (unlock func(), err error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(context.Background())
	if err == nil {
		_, err = conn.ExecContext(context.Background(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return func() {
		_, _ = conn.ExecContext(context.Background(), "ROLLBACK") // closing does the same
		_ = conn.Close()
		_ = db.Close()
	}, nil
}

func (s *storm) slackIll(r *rand.Rand) (string, time.Duration, func()) {
	state := []condition{stormy, stormy, stormy, down, hanging, limited, forgetful, slow}[r.IntN(8)]
	lasts := lasting(r, 2*time.Second, 10*time.Second)
	if s.busy["Slack"] {
		return "", 0, nil
	}
	s.ill.be(state)
	s.note("Slack is %s", state)
	return "Slack", lasts, func() { s.ill.be(usual) }
}

func (s *storm) sockets(r *rand.Rand) (string, time.Duration, func()) {
	switch way := []string{"warning", "warning", "refresh_requested", "refresh_requested", "link_disabled", "too_many_websockets", "drop", "next"}[r.IntN(8)]; way {
	case "drop":
		s.slack.DropSockets()
		return "dropped", 0, nil
	case "next":
		n := 1 + r.IntN(4)
		s.slack.WarnBeforeNext(n)
		return fmt.Sprintf("a warning before the next %d envelopes", n), 0, nil
	default:
		s.slack.Refresh(way)
		return way, 0, nil
	}
}

// again has Slack deliver the last envelope once more.
func (s *storm) again(*rand.Rand) (string, time.Duration, func()) {
	go func() { _, _ = s.slack.Redeliver(context.Background()) }() // whether it is acknowledged again is nobody's business
	return "the last envelope", 0, nil
}

func (s *storm) engineFails(r *rand.Rand) (string, time.Duration, func()) {
	host, name := s.anyHost(r)
	what := []string{"fail-up", "fail-pull", "slow-up", "slow-up"}[r.IntN(4)]
	host.Inside.Set(func(s *standin.State) {
		switch what {
		case "fail-up":
			s.UpBreaks = 1
		case "fail-pull":
			s.FetchBreaks = 1
		case "slow-up":
			s.UpSlow = 4 * time.Second
		}
	})
	return what + " on " + name, 0, nil
}

// leaseSpoiled removes the lease on a host, or damages it, which somebody removes after a while.
func (s *storm) leaseSpoiled(r *rand.Rand) (string, time.Duration, func()) {
	c := s.crews[r.IntN(len(s.crews))]
	host := c.hosts[r.IntN(len(c.hosts))]
	rubbish, lasts := r.IntN(2) == 0, lasting(r, time.Second, 8*time.Second)
	name := fmt.Sprintf("the lease of %s on %s", c.app, host.Host)
	there := false
	host.Inside.Set(func(is *standin.State) {
		switch there = is.Lease != nil && !s.busy[name]; {
		case there && rubbish:
			damaged := *is.Lease
			damaged.Damaged = true
			is.Lease = &damaged
		case there:
			is.Lease = nil
		}
	})
	switch {
	case !there:
		return "", 0, nil
	case !rubbish:
		return name, 0, nil
	}
	return name, lasts, func() {
		host.Inside.Set(func(is *standin.State) {
			if is.Lease != nil && is.Lease.Damaged {
				is.Lease = nil
			}
		})
	}
}

// condition is how Slack is.
type condition string

const (
	well      condition = "well"
	usual     condition = "as usual"  // one call of fifty goes wrong
	stormy    condition = "stormy"    // every second call goes wrong in some way
	down      condition = "down"      // 500
	hanging   condition = "hanging"   // no answer
	limited   condition = "limited"   // 429
	forgetful condition = "forgetful" // what is posted is there, and the answer lost
	slow      condition = "slow"
)

// unrest decides how Slack's calls go wrong.
type unrest struct {
	mu     sync.Mutex
	random *rand.Rand
	now    condition
}

func (i *unrest) be(c condition) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = c
}

func (i *unrest) decide(localslack.Call) *localslack.Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	chance := i.random.IntN(100)
	switch i.now {
	case stormy:
		if chance < 50 {
			return i.any()
		}
	case down:
		return &localslack.Fault{Status: 500}
	case hanging:
		return &localslack.Fault{Hang: true}
	case limited:
		return &localslack.Fault{RetryAfter: 1 + i.random.IntN(3)}
	case forgetful:
		return &localslack.Fault{LoseAnswer: chance < 80}
	case slow:
		return &localslack.Fault{Delay: time.Duration(i.random.IntN(2500)) * time.Millisecond}
	case usual:
		if chance < 2 {
			return i.any()
		}
	}
	return nil
}

func (i *unrest) any() *localslack.Fault {
	return []*localslack.Fault{
		{Status: 500}, {Status: 503}, {Hang: true}, {Reset: true}, {LoseAnswer: true}, {LoseAnswer: true}, {RetryAfter: 1}, {Error: "internal_error"},
		{Delay: time.Second},
	}[i.random.IntN(9)]
}
