package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// killedOn are the journals that a killed bot is tried on.
var killedOn = []struct {
	name string
	url  func(testing.TB) string
}{
	{"sqlite", func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "journal.db") }},
	{"postgresql", parts.PostgreSQL},
}

// In a row: so many points are met by one rollback. A bot that is killed more often than that tells nothing new.
const killsPerRollback = 5

// defaultRollbacks is how many rollbacks are killed without ROLLBACKBOT_TEST_ALL_KILLS, which takes all points.
const defaultRollbacks = 2

// TestKilled kills the bot with -9 at points in the midst of rollbacks, before and after each write to the journal and
// each effect, and starts it again: each comes to the same end, with one record, and no two `docker compose up` ever run
// at once. A first rollback that nobody kills shows which points there are.
func TestKilled(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	for _, store := range killedOn {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			k := newKiller(t, store.url(t))
			life := k.life(t)
			dealt := deal(life, seed)
			for n := 1; len(dealt.hands) > 0 && k.lost == 0; n++ {
				k.rollback(t, dealt)
			}
			t.Logf("%s: kill -9 at %d of %d points in %d rollbacks, %d lost, %d doubled (ROLLBACKBOT_TEST_SEED=%d); points that did not come again: %v",
				store.name, k.met, len(life), k.rollbacks, k.lost, k.doubled, seed, dealt.missed)
			if k.met < dealt.points/2 {
				t.Errorf("killed at %d points, want %d at least", k.met, dealt.points/2)
			}
			k.mustRun(t, "audit", "verify")
			k.watched.check(t)
		})
	}
}

// seedOf says which points are taken, and in which rollback each is met.
func seedOf(tb testing.TB) uint64 {
	tb.Helper()
	text := os.Getenv("ROLLBACKBOT_TEST_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		tb.Fatalf("ROLLBACKBOT_TEST_SEED: %v", err)
	}
	return seed
}

// hands are the points that rollbacks are still to be killed at, each hand in the order of a life.
type hands struct {
	hands  [][]string
	points int             // in all hands, as they were dealt
	again  map[string]bool // points that did not come in a rollback that was killed before them, and are tried once more
	missed []string        // points that did not come then either
}

// deal deals the points of a life out to rollbacks as the seed says: all of them, or a sample.
func deal(life []string, seed uint64) *hands {
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(life))
	if os.Getenv("ROLLBACKBOT_TEST_ALL_KILLS") == "" {
		order = order[:defaultRollbacks*killsPerRollback]
	}
	dealt := &hands{points: len(order), again: map[string]bool{}}
	for hand := range slices.Chunk(order, killsPerRollback) {
		slices.Sort(hand)
		var chosen []string
		for _, i := range hand {
			chosen = append(chosen, life[i])
		}
		dealt.hands = append(dealt.hands, chosen)
	}
	return dealt
}

// missing takes points back that did not come: what a life goes through twice, a killed one may go through once. With a
// sample that is all; with all points each is tried once more, as the first one of a rollback.
func (d *hands) missing(points []string) {
	for _, point := range points {
		if d.again[point] || os.Getenv("ROLLBACKBOT_TEST_ALL_KILLS") == "" {
			d.missed = append(d.missed, point)
			continue
		}
		d.again[point] = true
		d.hands = append(d.hands, []string{point})
	}
}

// killer plays rollbacks with a bot that dies at points of its choice.
type killer struct {
	*world
	line      string
	watched   upLog
	file      string // where the bot notes the points that it passes
	rollbacks int
	met       int
	lost      int // rollbacks that did not end as they have to
	doubled   int // messages too many

	bot  *serving // of now
	all  []*serving
	hand []string // still to come in this rollback
}

func newKiller(tb testing.TB, database string) *killer {
	tb.Helper()
	w := newWorld(tb)
	w.env["ROLLBACK_DATABASE_URL"] = database
	w.binary = realhost.Build(tb, "rollbackbot/cmd/rollbackbot", "failpoints")
	k := &killer{world: w, watched: w.watchUp(tb), file: filepath.Join(tb.TempDir(), "points")}
	k.line = "/rollback " + w.app + " to v1 migration yes owner <@" + lead + "> because v2 answers 503"
	w.brokenRelease(tb)
	return k
}

// life plays a rollback that nobody kills, and gives the points that it went through.
func (k *killer) life(t *testing.T) []string {
	t.Helper()
	k.rollback(t, &hands{hands: [][]string{nil}})
	passed := k.passed(t)
	if len(passed) < 100 || k.lost > 0 {
		t.Fatalf("a whole life has %d points, and %d rollbacks were lost", len(passed), k.lost)
	}
	return passed
}

// passed are the points of this rollback so far.
func (k *killer) passed(tb testing.TB) []string {
	tb.Helper()
	content, err := os.ReadFile(k.file)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

// rollback plays the next rollback and kills the bot at the next hand of points.
func (k *killer) rollback(t *testing.T, dealt *hands) {
	t.Helper()
	k.rollbacks++
	k.hand, dealt.hands = dealt.hands[0], dealt.hands[1:]
	k.bot, k.all = nil, nil
	n, met := k.rollbacks, k.met
	ok := t.Run(fmt.Sprint(n), func(t *testing.T) {
		if n > 1 {
			k.stack.Up(t, "v2") // somebody deploys it again: with a real team CI would be refused, but a person is not
		}
		if err := os.WriteFile(k.file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		before := k.stack.Containers(t)
		k.revive(t)
		k.insist(t, n, k.line, func() { k.revive(t) })
		k.said(t, n, func() { k.revive(t) })
		k.halt(t)
		k.runs(t, "v1")
		k.untouched(t, before)
		k.oneRecord(t, n)
		if t.Failed() {
			t.Logf("killed at %d points; still to come were %q:\n%s\n%s", k.met-met, k.hand, k.transcript(), k.logs())
		}
	})
	if !ok {
		k.lost++
		k.doubled += max(0, len(ofKind(k.slack.Snapshot(), "rollback_record"))-n)
	}
	dealt.missing(k.hand)
}

// revive starts the bot, and starts it again where it has died.
func (k *killer) revive(tb testing.TB) {
	tb.Helper()
	if k.bot != nil {
		select {
		case <-k.bot.ended:
			k.died(tb)
		default:
			return
		}
	}
	k.bot = k.with(map[string]string{"FAILPOINTS_FILE": k.file, "FAILPOINTS_DEADLY": strings.Join(k.hand, ";")}).serve(tb, nil)
	k.all = append(k.all, k.bot)
}

// halt ends the bot, which may be about to die by itself.
func (k *killer) halt(tb testing.TB) {
	tb.Helper()
	k.bot.kill()
	<-k.bot.ended
	k.died(tb)
}

// died takes the point at which the bot died out of the hand. Those before it may come yet: what is said goes on beside what
// is done, so that their order is not always the same.
func (k *killer) died(tb testing.TB) {
	tb.Helper()
	passed := k.passed(tb)
	if i := slices.Index(k.hand, passed[len(passed)-1]); i >= 0 {
		k.met++
		k.hand = slices.Delete(k.hand, i, i+1)
	}
}

func (k *killer) logs() string {
	var logs []string
	for _, bot := range k.all {
		logs = append(logs, bot.text())
	}
	return strings.Join(logs, "--- killed ---\n")
}

// TestKilled_NoneInTheProduct shows that the product's own build has no points.
func TestKilled_NoneInTheProduct(t *testing.T) {
	for _, row := range []struct {
		tags []string
		has  bool
	}{{nil, false}, {[]string{"failpoints"}, true}} {
		binary, err := os.ReadFile(realhost.Build(t, "rollbackbot/cmd/rollbackbot", row.tags...))
		if err != nil {
			t.Fatal(err)
		}
		if has := bytes.Contains(binary, []byte("FAILPOINTS_DEADLY")); has != row.has {
			t.Errorf("built with tags %v it has failpoints: %t, want %t", row.tags, has, row.has)
		}
	}
}

// said waits until everything about a rollback is said: until then the bot has something to do, and may be killed.
func (w *world) said(tb testing.TB, n int, meanwhile func()) {
	tb.Helper()
	_, asked := w.request(tb, n)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		meanwhile()
		for line := range strings.Lines(w.mustRun(tb, "audit", "export")) {
			if strings.Contains(line, `"rollback":"`+asked.Rollback+`"`) && strings.Contains(line, `"kind":"published"`) {
				return
			}
		}
	}
	tb.Fatalf("not everything about %s is said:\n%s", asked.Rollback, w.transcript())
}

// oneRecord fails the test unless each of n rollbacks has one request and one record, which says that it succeeded.
func (w *world) oneRecord(tb testing.TB, n int) {
	tb.Helper()
	now := w.slack.Snapshot()
	_, asked := requests(now)
	records := ofKind(now, "rollback_record")
	if len(asked) != n || len(records) != n {
		tb.Fatalf("%d requests and %d records, want %d of each:\n%s", len(asked), len(records), n, w.transcript())
	}
	for i, m := range records {
		got := parseRecord(tb, m)
		if got.Rollback != asked[i].Rollback || got.Outcome != "succeeded" || got.Migration != "left in place" || got.SignedOffBy != lead {
			tb.Errorf("record %d is %+v, want that %s succeeded", i+1, got, asked[i].Rollback)
		}
	}
}

// upLog is where a compose that is watched notes when its `up` begins and ends.
type upLog struct{ file string }

// watchUp puts a program in the place of compose, as COMPOSE_COMMAND allows, that notes the begin and the end of each
// `up` around the real one.
func (w *world) watchUp(tb testing.TB) upLog {
	tb.Helper()
	log := upLog{filepath.Join(w.stack.Dir, "up.log")}
	script := filepath.Join(w.stack.Dir, "watched-compose")
	content := `#!/bin/sh
case " $* " in
*" up "*) echo "begin $$" >>` + log.file + ` ;;
*) exec docker compose "$@" ;;
esac
docker compose "$@"
status=$?
echo "end $$" >>` + log.file + `
exit $status
`
	if err := os.WriteFile(script, []byte(content), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(log.file, nil, 0o666); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(log.file, 0o666); err != nil { // the umask has taken from it
		tb.Fatal(err)
	}
	w.env[appVariable(w.app, "COMPOSE_COMMAND")] = script
	return log
}

// check fails the test where an `up` began before the last one had ended, or none ran at all.
func (l upLog) check(tb testing.TB) {
	tb.Helper()
	content, err := os.ReadFile(l.file)
	if err != nil {
		tb.Fatal(err)
	}
	runs := strings.Fields(string(content)) // begin PID end PID …
	if len(runs) == 0 || len(runs)%4 != 0 {
		tb.Fatalf("the log of `up` is %q, want pairs of begin and end", content)
	}
	for run := range slices.Chunk(runs, 4) {
		if run[0] != "begin" || run[2] != "end" || run[1] != run[3] {
			tb.Errorf("two `up` ran at once: %q", content)
			return
		}
	}
}
