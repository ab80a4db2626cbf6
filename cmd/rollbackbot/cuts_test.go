package main_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
)

// cutSeries plays rollbacks one after the other, and cuts the connection to the host while a command of one step runs
// there. In CI it cuts at the moments that a test names; with ROLLBACKBOT_TEST_CUTS at moments of a seed's choice, until
// half as many cuts as that says were in the midst of the command: there are two series, one of pulling and one of `up`.
type cutSeries struct {
	*world
	step    string
	named   [][]time.Duration // of each rollback without ROLLBACKBOT_TEST_CUTS, since the step's first command
	span    time.Duration     // what the moments of the seed's choice lie in
	watched upLog
	// midst says whether the command runs on the host at this moment, for a cutter that has heard of its begin.
	midst func() bool

	seed      uint64
	chance    *rand.Rand
	wanted    int // cuts in the midst; 0: those of the moments that are named
	rollbacks int
	cuts      int
	inMidst   int
	asked     int // questions what to do, answered by "try again"
}

// cutsPerRollback is how many cuts of one command a seed chooses: the bot is back after two seconds, which is about as
// long as the command takes.
const cutsPerRollback = 2

func newCutSeries(tb testing.TB, w *world, step string, span time.Duration) *cutSeries {
	tb.Helper()
	s := &cutSeries{world: w, step: step, span: span, watched: w.watchUp(tb)}
	w.retry = true
	if text := os.Getenv("ROLLBACKBOT_TEST_CUTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 2 {
			tb.Fatalf("ROLLBACKBOT_TEST_CUTS is %q, want a number from 2", text)
		}
		s.wanted, s.seed = n/2, seedOf(tb)
		s.chance = rand.New(rand.NewPCG(s.seed, 0))
		tb.Logf("ROLLBACKBOT_TEST_SEED=%d", s.seed)
	}
	w.brokenRelease(tb)
	return s
}

// next gives the moments of the next rollback's cuts; false when there were enough.
func (s *cutSeries) next() ([]time.Duration, bool) {
	if s.wanted == 0 {
		if s.rollbacks == len(s.named) {
			return nil, false
		}
		return s.named[s.rollbacks], true
	}
	if s.inMidst >= s.wanted || s.rollbacks >= 3*s.wanted {
		return nil, false
	}
	var moments []time.Duration
	for range cutsPerRollback {
		moments = append(moments, time.Duration(s.chance.Int64N(int64(s.span))).Round(time.Millisecond))
	}
	slices.Sort(moments)
	return moments, true
}

// rollback plays the next one, and cuts at the moments. play is what people do, until the record is there; n counts the
// rollbacks. What the bot said in the end has to be what is.
func (s *cutSeries) rollback(t *testing.T, moments []time.Duration, play func(n int, c *cutter)) {
	t.Helper()
	s.rollbacks++
	before := s.stack.Containers(t)
	c := &cutter{world: s.world, tb: t, step: s.step, after: moments, midst: s.midst}
	bot := s.serve(t, c.hear)
	play(s.rollbacks, c)
	c.wait(t)
	s.runs(t, "v1")
	s.noneCreated(t)
	s.untouched(t, before)
	s.oneRecord(t, s.rollbacks)
	s.tellsWhatRuns(t, s.record(t, s.rollbacks))
	c.check(t)
	bot.stop(t)
	s.cuts, s.inMidst, s.asked = s.cuts+c.cuts, s.inMidst+c.inMidst, s.asked+c.unknown()
	t.Logf("rollback %d: cuts meant at %v, %d of %d in the midst of %s; %v", s.rollbacks, moments, c.inMidst, c.cuts, s.step, c.verdicts)
}

// check says how it went, and fails the test where there were not enough cuts or two `up` ran at once.
func (s *cutSeries) check(t *testing.T) {
	t.Helper()
	t.Logf("%s: %d cuts, %d of them in its midst, in %d rollbacks with one record each, all of which succeeded in the end; the bot asked %d times; seed %d",
		s.step, s.cuts, s.inMidst, s.rollbacks, s.asked, s.seed)
	if want := max(1, s.wanted); s.inMidst < want {
		t.Errorf("%d cuts were in the midst of %s, want %d", s.inMidst, s.step, want)
	}
	s.watched.check(t)
}

// noneCreated fails the test where compose was stopped between making a container and starting it.
func (w *world) noneCreated(tb testing.TB) {
	tb.Helper()
	for service, containers := range w.stack.Containers(tb) {
		for _, c := range containers {
			if c.State == "created" {
				tb.Errorf("%s is left created and not started: %+v", service, c)
			}
		}
	}
}

// tellsWhatRuns fails the test unless a record says, to programs and to people, that v1 replaced v2 and runs.
func (w *world) tellsWhatRuns(tb testing.TB, record localslack.Message) {
	tb.Helper()
	payload := parseRecord(tb, record)
	for _, row := range []struct {
		version string
		said    map[string]string
	}{{"v1", payload.To}, {"v2", payload.From}} {
		if got, want := toJSON(tb, row.said), toJSON(tb, w.stack.Images(row.version)); got != want {
			tb.Errorf("the record says %s, want %s of %s", got, want, row.version)
		}
	}
	if !strings.Contains(string(record.Blocks), "runs the target, v1") {
		tb.Errorf("the record does not say that v1 runs:\n%s", record.Blocks)
	}
}

// cutter cuts the connections to the host once a step's changing command begins.
type cutter struct {
	*world
	tb    testing.TB
	step  string
	after []time.Duration // since the first command of the step
	midst func() bool     // whether the command still runs on the host

	mu       sync.Mutex
	begun    bool
	cuts     int      // that ended a connection
	inMidst  int      // of these, while the command ran
	verdicts []string // of all steps
}

func (c *cutter) hear(_ *serving, line logLine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if line.Message == "step_finished" {
		c.verdicts = append(c.verdicts, line.Step+" "+line.Verdict)
	}
	if c.begun || line.Message != "command_started" || line.Step != c.step {
		return
	}
	c.begun = true
	for _, after := range c.after {
		time.AfterFunc(after, c.cut)
	}
}

func (c *cutter) cut() {
	midst := c.midst()
	n := c.host.Cut(c.tb)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n == 0 { // the bot has not connected again yet: wait for it to be there to be cut
		time.AfterFunc(100*time.Millisecond, c.cut)
		return
	}
	c.cuts++
	if midst {
		c.inMidst++
	}
}

// wait waits until all the cuts were made.
func (c *cutter) wait(tb testing.TB) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !c.done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("the connection was not cut %d times:\n%s", len(c.after), c.transcript())
		}
	}
}

// done reports whether all the cuts were made.
func (c *cutter) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts >= len(c.after)
}

// unknown is how many steps ended with something not known, about which a person was asked.
func (c *cutter) unknown() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, verdict := range c.verdicts {
		if strings.HasSuffix(verdict, " unknown") {
			n++
		}
	}
	return n
}

// check fails the test where something was said to have failed: a cut link is no failure of what goes on without it.
func (c *cutter) check(tb testing.TB) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.verdicts, func(verdict string) bool { return strings.HasSuffix(verdict, " failed") }) {
		tb.Errorf("a step is said to have failed: %v\n%s", c.verdicts, c.transcript())
	}
	for line := range strings.Lines(c.mustRun(tb, "audit", "export")) {
		if strings.Contains(line, `"kind":"fetched"`) && strings.Contains(line, `"problem"`) {
			tb.Errorf("images are said not to have been fetched beforehand: %s", line)
		}
	}
}

func refs(images map[string]string) []string {
	var all []string
	for _, ref := range images {
		all = append(all, ref)
	}
	return all
}

// finish answers the question about the error rate of the nth rollback and waits for its record.
func (p *people) finish(tb testing.TB, n int) localslack.Message {
	tb.Helper()
	request, _ := p.request(tb, n)
	p.clicks(tb, onCall, p.question(tb, request.TS, "error_rate_baseline"), "error_rate_baseline")
	return p.record(tb, n)
}

// ended counts the `up` that have ended so far.
func (l upLog) ended(tb testing.TB) int {
	tb.Helper()
	return strings.Count(l.text(tb), "end ")
}

func (l upLog) text(tb testing.TB) string {
	tb.Helper()
	content, err := os.ReadFile(l.file)
	if err != nil {
		tb.Errorf("the log of `up`: %v", err)
	}
	return string(content)
}
