package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// An owner that is cut off must know it before the server gives its lock away. The server starts to ask a connection
// that is silent for 10 s whether anybody is there, and ends it after 4 questions 2 s apart: 18 s. The owner asks after
// every second, and gives up 12 s after it asked: 13 s. A database that stalls for 10 s costs nobody the ownership.
// The owner's process itself may stand still for longer; epochs are there for that.
const (
	heartbeat         = time.Second
	heartbeatPatience = 12 * time.Second
	releasePatience   = 2 * time.Second
)

// ownerDefaults are the session's settings for that, as the server reads them: seconds, a number, milliseconds.
// https://www.postgresql.org/docs/15/runtime-config-connection.html
var ownerDefaults = map[string]string{
	"tcp_keepalives_idle":     "10",
	"tcp_keepalives_interval": "2",
	"tcp_keepalives_count":    "4",
	"tcp_user_timeout":        "18000",
}

// sessionLock is an advisory lock of a session: it ends when the session does.
type sessionLock struct {
	conn     *pgx.Conn
	patience time.Duration // with the server
	gone     chan struct{} // closed when the session has ended by itself
	why      error         // set before gone is closed
	stop     context.CancelFunc
	watched  sync.WaitGroup
	once     sync.Once
}

func (p *postgreSQL) own(ctx context.Context) (ownLock, error) {
	config := p.config.Copy()
	config.RuntimeParams["application_name"] = processName()
	for name, value := range ownerDefaults {
		config.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := p.lockOwner(ctx, conn); err != nil {
		_ = conn.Close(ctx) // it holds nothing
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &sessionLock{conn: conn, patience: p.heartbeatPatience, gone: make(chan struct{}), stop: stop}
	l.watched.Go(func() { l.watch(watching) })
	return l, nil
}

// lockOwner takes the lock, or says who has it.
func (p *postgreSQL) lockOwner(ctx context.Context, conn *pgx.Conn) error {
	var locked bool
	err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1::int, `+schemaKey+`)`, ownerLock).Scan(&locked)
	if err != nil || locked {
		return err
	}
	// objid is unsigned, and a hash need not be positive.
	var name string
	err = conn.QueryRow(ctx, `SELECT a.application_name FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() AND l.database = a.datid
		AND l.classid::bigint = $1 AND l.objid::bigint = `+schemaKey+`::bigint & 4294967295`, ownerLock).Scan(&name)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) { // no row: it has let go meanwhile
		return err
	}
	pid, host := parseProcessName(name)
	return &OwnedError{Path: p.name, PID: pid, Host: host}
}

// watch tells when the session ends, until it is stopped.
func (l *sessionLock) watch(ctx context.Context) {
	for {
		err := l.beat(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.why = fmt.Errorf("the connection that had the lock was lost: %w", err)
			close(l.gone)
			return
		}
	}
}

// beat listens for a moment, which tells at once when the server ends the connection, and then asks whether the server
// is there.
func (l *sessionLock) beat(ctx context.Context) error {
	listening, stop := context.WithTimeout(ctx, heartbeat)
	_, err := l.conn.WaitForNotification(listening)
	stop()
	if err != nil && !pgconn.Timeout(err) {
		return err
	}
	asking, stop := context.WithTimeout(ctx, l.patience)
	defer stop()
	return l.conn.Ping(asking)
}

func (l *sessionLock) lost() <-chan struct{} { return l.gone }

func (l *sessionLock) err() error { return l.why }

func (l *sessionLock) release() {
	l.once.Do(func() {
		l.stop()
		l.watched.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), releasePatience)
		defer cancel()
		// The session's end gives the lock back as well, but a moment after Close has returned.
		_, _ = l.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
		_ = l.conn.Close(ctx)
	})
}
