package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// moment is when the bot is killed: right after a line of its log that tells of an event, before or while it does what
// comes next; or a little later, when that is under way.
type moment struct {
	message string // of the line: the kind of an event, mostly
	step    string // of the line; empty: any
	nth     int    // such line in this rollback, or a later one where that is past already; from 1
	later   time.Duration
}

func (m moment) String() string {
	text := m.message
	if m.step != "" {
		text += " " + m.step
	}
	return fmt.Sprintf("%s (%d) + %s", text, m.nth, m.later)
}

// moments are spread over the whole rollback, in its order. docker compose replaces the five containers within about a
// second, so the last of the moments after its start are in the midst of that.
func moments() []moment {
	const under = 300 * time.Millisecond
	return []moment{
		{"connected to Slack", "", 1, 100 * time.Millisecond}, // the command has come, or is about to
		{"connected to Slack", "", 1, under},                  // while the plan is made for the first time
		{"requested", "", 1, 0},
		{"notice_intended", "", 1, 0},                     // the request's message may be posted
		{"notice_posted", "", 1, 0},                       // … and is
		{"notice_intended", "", 2, 0},                     // the plan in its thread
		{"notice_posted", "", 2, 0},                       //
		{"answered", "", 1, 0},                            // signed off, nothing begun
		{"step_started", "identify", 1, 0},                //
		{"step_started", "identify", 1, under},            // while the plan is made anew
		{"lease_taken", "", 1, 0},                         //
		{"step_finished", "identify", 1, 0},               //
		{"step_started", "fetch", 1, 0},                   //
		{"step_finished", "fetch", 1, 0},                  //
		{"step_started", "pin", 1, 0},                     //
		{"pins_writing", "", 1, 0},                        // before they are
		{"pins_writing", "", 1, 100 * time.Millisecond},   // while they are
		{"pins_written", "", 1, 0},                        //
		{"step_finished", "pin", 1, 0},                    //
		{"step_started", "deploy", 1, 0},                  //
		{"quarantined", "", 1, 0},                         //
		{"command_started", "deploy", 1, 0},               // it may not have left for the host
		{"command_started", "deploy", 1, under},           // it runs there
		{"command_started", "deploy", 1, 2 * under},       //
		{"command_started", "deploy", 1, 3 * under},       //
		{"command_finished", "", 1, 0},                    // not judged yet
		{"step_finished", "deploy", 1, 0},                 //
		{"step_started", "health", 1, under},              //
		{"step_finished", "health", 1, 0},                 //
		{"step_started", "error_rate", 1, under},          // in the window
		{"step_finished", "error_rate", 1, 0},             // before it is asked about
		{"asked", "", 1, 0},                               //
		{"answered", "", 2, 0},                            // as in the same process as the sign-off
		{"step_started", "migration", 1, 0},               //
		{"ended", "", 1, 0},                               // before the record
		{"notice_intended", "", 4, 0},                     // the record may be posted
		{"notice_intended", "", 4, 20 * time.Millisecond}, //
		{"notice_posted", "", 4, 0},                       // … and is
		{"notice_posted", "", 4, 300 * time.Millisecond},  //
	}
}

// In a row: so many moments are met by one rollback. A bot that is killed more often than that tells nothing new.
const killsPerRollback = 3

// defaultRollbacks is how many rollbacks are killed without ROLLBACKBOT_TEST_ALL_KILLS, which takes them all.
const defaultRollbacks = 3

// sample deals the moments out to rollbacks, each one's in their order, as the seed says.
func sample(tb testing.TB) [][]moment {
	tb.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ROLLBACKBOT_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			tb.Fatalf("ROLLBACKBOT_TEST_SEED: %v", err)
		}
	}
	tb.Logf("ROLLBACKBOT_TEST_SEED=%d deals the same moments", seed)
	all := moments()
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(all))
	if os.Getenv("ROLLBACKBOT_TEST_ALL_KILLS") == "" {
		order = order[:defaultRollbacks*killsPerRollback]
	}
	var dealt [][]moment
	for hand := range slices.Chunk(order, killsPerRollback) {
		slices.Sort(hand)
		var chosen []moment
		for _, i := range hand {
			chosen = append(chosen, all[i])
		}
		dealt = append(dealt, chosen)
	}
	return dealt
}

// TestKilled kills the bot with -9 in the midst of rollbacks and starts it again: each comes to the same end, with one
// record, and no two `docker compose up` ever run at once.
func TestKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watched := w.watchUp(t)
	w.brokenRelease(t)
	line := "/rollback " + w.app + " to v1 migration yes owner <@" + lead + "> because v2 answers 503"
	kills := 0
	hands := sample(t)
	for i, hand := range hands {
		if i > 0 {
			w.stack.Up(t, "v2") // somebody deploys it again: with a real team CI would be refused, but a person is not
		}
		before := w.stack.Containers(t)
		k := &killer{world: w, tb: t, hand: hand}
		k.play(i+1, line)
		t.Logf("rollback %d: killed at %v; still to come were %v", i+1, k.met, k.hand)
		kills += len(k.met)
		w.runs(t, "v1")
		w.untouched(t, before)
		w.oneRecord(t, i+1)
		if t.Failed() {
			t.Fatalf("after rollback %d, killed at %v:\n%s\n%s", i+1, k.met, w.transcript(), k.logs())
		}
	}
	if want := len(hands) * killsPerRollback / 2; kills < want {
		t.Errorf("killed %d times, want %d at least", kills, want)
	}
	w.mustRun(t, "audit", "verify")
	watched.check(t)
}

// killer keeps a bot running that it kills at moments of its choice.
type killer struct {
	*world
	tb  testing.TB
	bot *serving // of now

	mu   sync.Mutex
	hand []moment // still to come
	met  []moment
	seen map[[2]string]int // lines by message and step
	all  []*serving
}

// play carries a rollback to its end. n counts the channel's rollbacks, this one included.
func (k *killer) play(n int, line string) {
	k.tb.Helper()
	k.seen = map[[2]string]int{}
	k.insist(k.tb, n, line, k.revive)
	k.said(k.tb, n, k.revive)
	k.bot.stop(k.tb)
}

// revive starts the bot, and starts it again where it was killed.
func (k *killer) revive() {
	if k.bot != nil {
		select {
		case <-k.bot.ended:
		default:
			return
		}
	}
	k.bot = k.serve(k.tb, k.hear)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, k.bot)
}

// hear kills the bot when its log tells of the next moment.
func (k *killer) hear(bot *serving, line logLine) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen[[2]string{line.Message, ""}]++
	if line.Step != "" {
		k.seen[[2]string{line.Message, line.Step}]++
	}
	for i, m := range k.hand {
		if line.Message == m.message && (m.step == "" || m.step == line.Step) && k.seen[[2]string{m.message, m.step}] >= m.nth {
			// Those before it did not come to pass: the bot had no need to do that again.
			k.met, k.hand = append(k.met, m), k.hand[i+1:]
			time.AfterFunc(m.later, bot.kill)
			return
		}
	}
}

func (k *killer) logs() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var logs []string
	for _, bot := range k.all {
		logs = append(logs, bot.text())
	}
	return strings.Join(logs, "--- killed ---\n")
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
