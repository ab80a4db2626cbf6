package main_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
)

// The environment of TestFaults_AnHour; `make faults` sets it.
const (
	hourVariable         = "ROLLBACKBOT_FAULTS"          // for how long: "1h"; without it the test is skipped
	hourSeedVariable     = "ROLLBACKBOT_FAULTS_SEED"     // a former run's, to repeat its decisions
	hourStoreVariable    = "ROLLBACKBOT_FAULTS_STORE"    // "postgresql", or "sqlite", which takes one replica alone
	hourReplicasVariable = "ROLLBACKBOT_FAULTS_REPLICAS" // how many processes of serve; the first of several is never killed
	hourKindsVariable    = "ROLLBACKBOT_FAULTS_KINDS"    // the kinds of faults, comma-separated; all where it is empty
	hourRaceVariable     = "ROLLBACKBOT_FAULTS_RACE"     // "1": the last replica is built with the race detector
	hourFolderVariable   = "ROLLBACKBOT_FAULTS_FOLDER"   // where the logs are kept
)

// TestFaults_AnHour has teams roll back broken releases, again and again, while processes are killed and stopped, links
// are cut, the database and Slack fail, leases vanish and docker breaks. Nothing may be lost, done twice or misreported,
// and what lives through it may not grow.
func TestFaults_AnHour(t *testing.T) {
	h := newHour(t, readHourOptions(t))
	h.begin()
	h.storm()
	h.settle()
	h.judge()
	t.Log(h.summary())
}

type hourOptions struct {
	duration time.Duration
	seed     uint64
	store    string
	replicas int
	kinds    []string
	race     bool
	folder   string
}

func readHourOptions(tb testing.TB) hourOptions {
	tb.Helper()
	length := os.Getenv(hourVariable)
	if length == "" {
		tb.Skipf("%s is not set: it says for how long to break things, as `make faults` does", hourVariable)
	}
	o := hourOptions{seed: uint64(time.Now().UnixNano()), store: "postgresql", replicas: 1, race: os.Getenv(hourRaceVariable) == "1", folder: os.Getenv(hourFolderVariable)}
	var err error
	must := func(variable string, err error) {
		if err != nil {
			tb.Fatalf("%s: %v", variable, err)
		}
	}
	o.duration, err = time.ParseDuration(length)
	must(hourVariable, err)
	if text := os.Getenv(hourSeedVariable); text != "" {
		o.seed, err = strconv.ParseUint(text, 10, 64)
		must(hourSeedVariable, err)
	}
	if text := os.Getenv(hourReplicasVariable); text != "" {
		o.replicas, err = strconv.Atoi(text)
		must(hourReplicasVariable, err)
	}
	if text := os.Getenv(hourStoreVariable); text != "" {
		o.store = text
	}
	if text := os.Getenv(hourKindsVariable); text != "" {
		o.kinds = strings.Split(text, ",")
	}
	if o.folder == "" {
		o.folder, err = os.MkdirTemp("", "rollbackbot-faults-")
	} else {
		err = os.MkdirAll(o.folder, 0o755)
	}
	must(hourFolderVariable, err)
	return o
}

// hour is everything around the processes.
type hour struct {
	hourOptions
	tb       testing.TB
	began    time.Time
	slack    *localslack.Server
	ill      *unrest // of Slack
	database *parts.PostgreSQLServer
	file     string // of the database, with SQLite
	binary   string // without the race detector
	racing   string // with it; "" where it isn't asked for
	env      map[string]string
	crews    []*crew
	replicas []*replica
	ledger   *ledger

	sweeping sync.RWMutex // held for writing while Slack forgets
	halting  chan struct{}
	working  sync.WaitGroup // the crews
	helping  sync.WaitGroup // the replicas' keepers, the sampler, the janitor
	ending   chan struct{}

	writing  sync.Mutex
	diary    *os.File
	wrong    []string       // what must not be
	strikes  map[string]int // faults by their kinds
	outcomes map[string]int // records by their outcomes
	unjudged int            // records that came in the midst of something else
	refused  int            // things that were said and not accepted
}

func newHour(tb testing.TB, o hourOptions) *hour {
	tb.Helper()
	h := &hour{
		hourOptions: o, tb: tb, began: time.Now(), halting: make(chan struct{}), ending: make(chan struct{}),
		strikes: map[string]int{}, outcomes: map[string]int{}, ledger: newLedger(),
	}
	var err error
	// A folder that was used already holds another run's journal.
	if h.diary, err = os.OpenFile(filepath.Join(o.folder, "diary"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err != nil {
		tb.Fatal(err)
	}
	tb.Logf("%s=%d makes the same decisions again; the logs are in %s", hourSeedVariable, o.seed, o.folder)
	h.slack = startSlack(tb, localslack.WithGrace(2*time.Second))
	h.ill = &unrest{random: h.random(1), now: usual}
	h.slack.Fault(h.ill.decide)
	h.build()
	h.furnish()
	return h
}

// random is a source of decisions of its own for each who decides, so that their timing changes nobody else's.
func (h *hour) random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(h.seed, stream)) }

// note writes a line into the diary.
func (h *hour) note(format string, args ...any) {
	h.writing.Lock()
	defer h.writing.Unlock()
	fmt.Fprintf(h.diary, "%8.2f %s\n", time.Since(h.began).Seconds(), fmt.Sprintf(format, args...))
}

// violation is something that must not be. The hour goes on: one may explain another.
func (h *hour) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	h.note("WRONG %s", text)
	h.writing.Lock()
	h.wrong = append(h.wrong, text)
	h.writing.Unlock()
	h.tb.Errorf("%8.2f %s", time.Since(h.began).Seconds(), text)
}

func (h *hour) count(where map[string]int, what string) {
	h.writing.Lock()
	defer h.writing.Unlock()
	where[what]++
}

// begin starts the processes, the crews and those who watch.
func (h *hour) begin() {
	for i := range h.hourOptions.replicas {
		r := &replica{hour: h, number: i, elder: i == 0 && h.hourOptions.replicas > 1}
		h.replicas = append(h.replicas, r)
		h.helping.Go(r.keep)
	}
	h.helping.Go(h.sample)
	h.helping.Go(h.forget)
	for _, c := range h.crews {
		h.working.Go(c.live)
	}
}

// halted reports whether nothing new is to be begun.
func (h *hour) halted() bool {
	select {
	case <-h.halting:
		return true
	default:
		return false
	}
}

// wait waits for d, or for the end; false at the end.
func (h *hour) wait(d time.Duration) bool {
	select {
	case <-h.ending:
		return false
	case <-time.After(d):
		return true
	}
}

// patienceAtTheEnd bounds the time in which all that is under way has to end once nothing is broken any more.
const patienceAtTheEnd = 5 * time.Minute

// settle waits until everything under way has ended, without any fault.
func (h *hour) settle() {
	h.note("all faults are over")
	close(h.halting)
	quiet := make(chan struct{})
	go func() {
		h.working.Wait()
		close(quiet)
	}()
	select {
	case <-quiet:
	case <-time.After(patienceAtTheEnd):
		h.violation("not everything under way has ended %s after the last fault", patienceAtTheEnd)
	}
}

// forgetAfter is how long a finished rollback's messages stay in Slack: longer than a bot may look for one that it is
// not sure to have posted.
const forgetAfter = 10 * time.Minute

// forget keeps Slack from growing, and counts what it takes away.
func (h *hour) forget() {
	for h.wait(10 * time.Second) {
		limit := float64(time.Now().Add(-forgetAfter).UnixMicro()) / 1e6
		h.sweeping.Lock()
		gone := h.slack.Forget(func(m localslack.Message) bool {
			at, _ := strconv.ParseFloat(m.TS, 64) // localslack's own
			return at < limit && (m.Metadata == nil || h.ledger.finished(metaOf(m).Rollback, forgetAfter))
		})
		h.sweeping.Unlock()
		h.ledger.take(gone)
	}
}

// summary is what is told of the whole hour.
func (h *hour) summary() string {
	h.writing.Lock()
	defer h.writing.Unlock()
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, "  "+format+"\n", args...) }
	out.WriteString("the hour of faults:\n")
	line("seed %d, %s of faults, %d replicas on %s, %d apps on %d hosts", h.seed, h.duration, h.hourOptions.replicas, h.store, len(h.crews), len(h.hosts()))
	total := 0
	for _, n := range h.outcomes {
		total += n
	}
	line("%d rollbacks: %s", total, counted(h.outcomes))
	total = 0
	for _, n := range h.strikes {
		total += n
	}
	line("%d faults: %s", total, counted(h.strikes))
	line("%s", h.ledger.summary())
	line("%d times people were told that something was not accepted, or nothing; %d records came in the midst of something else and were not compared with the hosts", h.refused, h.unjudged)
	for _, r := range h.replicas {
		line("%s", r.summary())
	}
	line("%d things that must not be", len(h.wrong))
	for _, text := range h.wrong {
		line("  %s", text)
	}
	return out.String()
}

func counted(numbers map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, numbers[name]))
	}
	return strings.Join(parts, ", ")
}
