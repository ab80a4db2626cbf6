package journal

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/runbook"
)

func TestOpen_RefusesOtherURLs(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://bot:hun@ter2hunter2:%zz@db/journal":       "%40 for an @ in the password",
		"postgresql://bot:hunter2@db:port/journal":            "can't be read: write postgres://",
		"postgres://bot:hunter2@db/j?sslrootcert=/no/ca.pem":  "/no/ca.pem: no such file",
		"postgres://bot:hunter2@db/j?connect_timeout=hunter2": "can't be read: write postgres://",
		"mysql://bot:hunter2@db/journal":                      "must be sqlite:PATH",
		"hunter2":                                             "must be sqlite:PATH",
		"":                                                    "must be sqlite:PATH",
		"sqlite://hunter2":                                    "must be sqlite:PATH",
		"sqlite:":                                             "must name a file",
		"sqlite::memory:":                                     "must name a file",
	} {
		s, err := Open(t.Context(), url, Options{})
		if s != nil {
			s.Close()
		}
		hasAll(t, err, want)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q shows the secret: %v", url, err)
		}
	}
}

func TestOpen_NewerSchema(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		mustExec(t, s, `INSERT INTO schema_version (version, at) VALUES (99, 0)`)
		for _, opts := range []Options{{}, {MustExist: true}} {
			_, err := Open(t.Context(), url, opts)
			if !errors.Is(err, ErrNewerSchema) {
				t.Errorf("%v, want ErrNewerSchema", err)
			}
			hasAll(t, err, fmt.Sprintf("its schema is 99, this version knows %d", len(migrations)))
		}
	})
}

func TestOpen_UpgradesButNotForReaders(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		mustAppend(t, open(t, url), runbook.Entry{Facts: facts(note("old"))})
		released := migrations
		t.Cleanup(func() { migrations = released })
		migrations = append(released[:len(released):len(released)], []string{`CREATE TABLE later (x TEXT)`})

		_, err := Open(t.Context(), url, Options{MustExist: true})
		hasAll(t, err, fmt.Sprintf("its schema is %d, this version needs %d", len(released), len(migrations)), "rollbackbot serve")
		upgraded := open(t, url)
		mustVerify(t, upgraded, "shop")
		if n := count(t, upgraded, `SELECT COUNT(*) FROM later`); n != 0 {
			t.Errorf("%d rows", n)
		}
		openWith(t, url, Options{MustExist: true})
	})
}

// An upgrade that fails in the middle leaves the schema before it.
func TestOpen_FailedUpgradeLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		released := migrations
		t.Cleanup(func() { migrations = released })
		migrations = append(released[:len(released):len(released)], []string{`CREATE TABLE later (x TEXT)`, `NOT SQL`})
		_, err := Open(t.Context(), url, Options{})
		hasAll(t, err, fmt.Sprintf("upgrade the schema to %d", len(migrations)))
		if _, err = Open(t.Context(), url, Options{MustExist: true}); !errors.Is(err, ErrNoJournal) {
			t.Errorf("%v, want ErrNoJournal", err)
		}
		migrations = released
		open(t, url)
	})
}

// Processes that start at the same moment on a new file create one journal.
func TestOpen_ManyAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				s, err := Open(t.Context(), url, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if _, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Facts: facts(note("x"))}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		s := open(t, url)
		if n := count(t, s, `SELECT COUNT(*) FROM events`); n != 6 {
			t.Errorf("%d events, want 6", n)
		}
		mustVerify(t, s, "shop")
	})
}

// Processes that start at the same moment on a journal of the version before upgrade it once.
func TestOpen_ManyUpgradeAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		mustAppend(t, open(t, url), runbook.Entry{Facts: facts(note("old"))})
		released := migrations
		t.Cleanup(func() { migrations = released })
		migrations = append(released[:len(released):len(released)],
			[]string{`CREATE TABLE upgrades (x BIGINT)`}, []string{`INSERT INTO upgrades (x) VALUES (1)`})
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				s, err := Open(t.Context(), url, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if n := count(t, s, `SELECT COUNT(*) FROM upgrades`); n != 1 {
					t.Errorf("the upgrade ran %d times", n)
				}
			})
		}
		group.Wait()
		mustVerify(t, open(t, url), "shop")
	})
}

// A newer version that upgrades while an older one waits to is seen by the older one, which stops.
func TestOpen_NewerSchemaWhileWaiting(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		mustExec(t, s, `INSERT INTO schema_version (version, at) VALUES (99, 0)`)
		// It has read version 0 before, and comes to its turn now.
		err := s.upgrade(t.Context())
		if !errors.Is(err, ErrNewerSchema) {
			t.Errorf("%v, want ErrNewerSchema", err)
		}
	})
}

// The product's own patience, which the other tests replace.
func TestOpen_Patience(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.patience != 15*time.Second {
			t.Errorf("a transaction may take %s, want 15 s", s.patience)
		}
	})
}
