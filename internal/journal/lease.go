package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// On PostgreSQL, whoever acts for a journal has two things. A lease in the row of the table ownership, which runs out
// by the database's own clock: an owner that stands still or is cut off is succeeded then. And an advisory lock of a
// session, which ends when the owner's process does: that is known at once, and the lease not waited for.
//
// The lock says nothing where the server itself was started again, since that ends every session: then the lease
// counts, and the owner has until its end to come back. Nor does a lock that is held say anything once the lease has
// run out: whoever has it does not act any more, and its session is ended.
const (
	// leaseTime is how long an owner that isn't heard of keeps its right: a database that stalls for 10 s, or is
	// started again within that, moves nothing.
	leaseTime = 15 * time.Second
	// leaseInterval parts two renewals. The last one's age is missing from the time for which the database may be away.
	leaseInterval = time.Second
	// leaseMargin is how much earlier than the database the owner takes its own lease for over, and how much later
	// everybody else does: renewals are not waited for to be on disk, and clocks differ in how fast they go.
	leaseMargin = time.Second
	// retakeInterval parts two attempts to come back after a lost connection.
	retakeInterval = 100 * time.Millisecond
	// releasePatience bounds giving the ownership back; where that fails it runs out.
	releasePatience = 2 * time.Second
)

// ownerDefaults make the server notice by itself that nobody is at the other end of a session: after 18 s of silence.
// They are seconds, a number, milliseconds. https://www.postgresql.org/docs/15/runtime-config-connection.html
var ownerDefaults = map[string]string{
	"tcp_keepalives_idle":     "10",
	"tcp_keepalives_interval": "2",
	"tcp_keepalives_count":    "4",
	"tcp_user_timeout":        "18000",
}

var errTakenOver = errors.New("another process has taken it over")

// session is one connection of a process that owns a journal, or would.
type session struct {
	database *postgreSQL
	conn     *pgx.Conn // nil: not connected
}

var _ candidate = (*session)(nil)

func (p *postgreSQL) candidate() candidate { return &session{database: p} }

func (p *postgreSQL) replicas() int { return int(p.processes.Load()) }

func (s *session) connect(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return nil
	}
	config := s.database.config.Copy()
	config.RuntimeParams["application_name"] = processName()
	for name, value := range ownerDefaults {
		config.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		s.conn = conn
	}
	return err
}

// drop gives a connection up about which nobody knows what became of its last word.
func (s *session) drop() {
	if s.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), releasePatience)
		defer cancel()
		_ = s.conn.Close(ctx) // it is gone either way
		s.conn = nil
	}
}

func (s *session) close() { s.drop() }

// The statements of an ownership. nowMicros is the database's clock; a server's life is told by when it was started.
const (
	nowMicros  = `(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint`
	thisServer = `pg_postmaster_start_time()::text`
	ownerKey   = `$1::int, ` + schemaKey

	tryLock = `SELECT pg_try_advisory_lock(` + ownerKey + `)`
	unlock  = `SELECT pg_advisory_unlock(` + ownerKey + `)`
	// takeLease takes a lease that is nobody's, has run out, or whose owner's session has ended though its server goes on.
	takeLease = `UPDATE ownership SET term = $1, process = $2, server = ` + thisServer + `, until_at = ` + nowMicros + ` + $3
		WHERE term = '' OR until_at + $4 <= ` + nowMicros + ` OR server = ` + thisServer
	renewLease  = `UPDATE ownership SET server = ` + thisServer + `, until_at = ` + nowMicros + ` + $2 WHERE term = $1`
	returnLease = `UPDATE ownership SET term = '', until_at = 0 WHERE term = $1`
	leaseState  = `SELECT term, process, term <> '' AND until_at + $1 <= ` + nowMicros + ` FROM ownership`
	// endHolder ends the session that has the lock. objid is unsigned, and a hash need not be positive.
	endHolder = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND classid::bigint = $1 AND objid::bigint = ` + schemaKey + `::bigint & 4294967295`
	countProcesses = `SELECT count(DISTINCT application_name) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE '` + processPrefix + `% on %'`
)

// take takes the ownership if it can be had. Whatever fails, the next attempt has a connection of its own.
func (s *session) take(ctx context.Context) (ownLock, error) {
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	term, asked := rand.Text(), time.Now()
	if err := s.tryTake(ctx, term); err != nil {
		var owned *OwnedError
		if !errors.As(err, &owned) {
			s.drop()
		}
		return nil, err
	}
	return newLease(s, term, asked), nil
}

func (s *session) tryTake(ctx context.Context, term string) error {
	if err := s.count(ctx); err != nil {
		return err
	}
	locked, err := s.lock(ctx)
	if err != nil {
		return err
	}
	if !locked {
		return s.owned(ctx)
	}
	tag, err := s.conn.Exec(ctx, takeLease, term, processName(), s.database.leaseTime.Microseconds(), leaseMargin.Microseconds())
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		// The server was started again, and the owner may yet come back.
		if _, err := s.conn.Exec(ctx, unlock, ownerLock); err != nil {
			return err
		}
		return s.owned(ctx)
	}
	return s.begin(ctx)
}

// begin prepares the session of an owner: it hears of deliveries, and its renewals need not wait for the disk.
func (s *session) begin(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, `LISTEN `+inboxChannel); err != nil {
		return err
	}
	_, err := s.conn.Exec(ctx, `SET synchronous_commit = off`)
	return err
}

func (s *session) lock(ctx context.Context) (locked bool, err error) {
	err = s.conn.QueryRow(ctx, tryLock, ownerLock).Scan(&locked)
	return locked, err
}

func (s *session) count(ctx context.Context) error {
	var processes int64
	err := s.conn.QueryRow(ctx, countProcesses).Scan(&processes)
	if err == nil {
		s.database.processes.Store(processes)
	}
	return err
}

// owned says who has the ownership. An owner whose lease has run out does not act any more: its session is ended, so
// that the next attempt finds the lock free.
func (s *session) owned(ctx context.Context) error {
	var term, process string
	var over bool
	if err := s.conn.QueryRow(ctx, leaseState, leaseMargin.Microseconds()).Scan(&term, &process, &over); err != nil {
		return err
	}
	if over {
		if _, err := s.conn.Exec(ctx, endHolder, ownerLock); err != nil {
			return err
		}
	}
	owned := &OwnedError{Path: s.database.name}
	if term != "" { // otherwise somebody is just taking it
		owned.PID, owned.Host = parseProcessName(process)
	}
	return owned
}

// lease is the ownership of a journal in PostgreSQL.
type lease struct {
	session *session // the watch's alone, until it has ended
	name    string   // its term
	gone    chan struct{}
	told    chan struct{} // has one place: the inbox has something new
	stop    context.CancelFunc
	watched sync.WaitGroup
	once    sync.Once

	mu    sync.Mutex
	until time.Time // by our own clock, which goes on while the process stands still
	why   error     // why it was lost
}

var _ ownLock = (*lease)(nil)

// newLease watches over a lease that was asked for at that time.
func newLease(s *session, term string, asked time.Time) *lease {
	ctx, stop := context.WithCancel(context.Background())
	l := &lease{session: s, name: term, gone: make(chan struct{}), told: make(chan struct{}, 1), stop: stop}
	l.extend(asked)
	l.watched.Go(func() { l.watch(ctx) })
	return l
}

func (l *lease) extend(asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = asked.Add(l.session.database.leaseTime - leaseMargin)
}

func (l *lease) end() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

func (l *lease) lost() <-chan struct{} { return l.gone }

func (l *lease) term() string { return l.name }

func (l *lease) news() <-chan struct{} { return l.told }

func (l *lease) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil && !time.Now().Before(l.until) {
		return errors.New("its lease has run out")
	}
	return l.why
}

// watch renews the lease until it is stopped, or lost.
func (l *lease) watch(ctx context.Context) {
	for {
		err := l.beat(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, errTakenOver) {
			err = l.comeBack(ctx, err)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.mu.Lock()
			l.why = err
			l.mu.Unlock()
			close(l.gone)
			l.session.drop() // whoever follows need not wait for it
			return
		}
	}
}

// beat listens for a while, which also tells at once when the server ends the connection, and then renews the lease.
func (l *lease) beat(ctx context.Context) error {
	listening, stop := context.WithTimeout(ctx, leaseInterval)
	defer stop()
	for {
		_, err := l.session.conn.WaitForNotification(listening)
		if err == nil {
			select {
			case l.told <- struct{}{}:
			default: // it has been told, and hasn't looked yet
			}
			continue
		}
		if ctx.Err() != nil || !pgconn.Timeout(err) {
			return err
		}
		break
	}
	asking, done := context.WithDeadline(ctx, l.end())
	defer done()
	if err := l.renew(asking); err != nil {
		return err
	}
	return l.session.count(asking)
}

func (l *lease) renew(ctx context.Context) error {
	asked := time.Now()
	tag, err := l.session.conn.Exec(ctx, renewLease, l.name, l.session.database.leaseTime.Microseconds())
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errTakenOver
	}
	l.extend(asked)
	return nil
}

// comeBack makes a new session the lease's, for as long as it holds: the connection was lost, the lease was not.
func (l *lease) comeBack(ctx context.Context, cause error) error {
	ctx, stop := context.WithDeadline(ctx, l.end())
	defer stop()
	for {
		l.session.drop()
		err := l.retake(ctx)
		if err == nil || errors.Is(err, errTakenOver) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("its connection to the database was lost for longer than its lease: %w", cause)
		case <-time.After(retakeInterval):
		}
	}
}

// retake takes the lock again, from a session of our own that the server still has, if need be.
func (l *lease) retake(ctx context.Context) error {
	if err := l.session.connect(ctx); err != nil {
		return err
	}
	var term string
	if err := l.session.conn.QueryRow(ctx, `SELECT term FROM ownership`).Scan(&term); err != nil {
		return err
	}
	if term != l.name {
		return errTakenOver
	}
	locked, err := l.session.lock(ctx)
	if err != nil {
		return err
	}
	if !locked {
		_, err := l.session.conn.Exec(ctx, endHolder, ownerLock)
		return errors.Join(errors.New("another session has the lock"), err)
	}
	if err := l.session.begin(ctx); err != nil {
		return err
	}
	return l.renew(ctx)
}

func (l *lease) release() {
	l.once.Do(func() {
		l.stop()
		l.watched.Wait()
		defer l.session.drop()
		if l.session.conn == nil || l.session.conn.IsClosed() {
			// The watch was stopped in the midst of a question, and pgx closes the connection of such a one.
			ctx, cancel := context.WithTimeout(context.Background(), releasePatience)
			defer cancel()
			if l.err() != nil || l.session.connect(ctx) != nil {
				return
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), releasePatience)
		defer cancel()
		// The lease first: without it a lock that is free says that its owner has died, which comes to the same.
		_, _ = l.session.conn.Exec(ctx, returnLease, l.name)
		_, _ = l.session.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	})
}
