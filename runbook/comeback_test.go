package runbook

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// restart is the host's restart while a job runs: nothing of the job is left, and it is away for a while.
func (h *fakeHost) restart(job *fakeJob, away time.Duration) {
	job.state, job.endsAt = "restarted", time.Now()
	h.boot += "+"
	h.backAt = time.Now().Add(away)
}

// once makes onJob do something at the first job with these words in its command.
func (h *fakeHost) once(words string, do func(job *fakeJob)) {
	done := false
	h.onJob = func(job *fakeJob, line string) bool {
		if done || !strings.Contains(line, words) {
			return false
		}
		done = true
		do(job)
		return true
	}
}

const upWords = " up -d --no-deps "

// halfUp is what an `up` leaves that was cut short: one service replaced, one gone, one as it was.
func (w *world) halfUp(h *fakeHost) {
	h.ups = append(h.ups, "cut short")
	h.containers["api"], h.containers["worker"] = []string{w.v1["api"].String()}, nil
}

// wantOneEnd fails the test unless the one rollback has one record and ended like this.
func (w *world) wantOneEnd(want Outcome) {
	w.t.Helper()
	if rb := w.only(); rb.Outcome != want {
		w.t.Errorf("outcome %s (%s), want %s", rb.Outcome, rb.Why, want)
	}
	if n := w.slack.count("record"); n != 1 {
		w.t.Errorf("%d records, want 1", n)
	}
}

// told gives the details of all runs of steps that did not pass, as people were told of them.
func (w *world) told() string {
	var told []string
	for _, run := range w.only().Steps {
		if run.Verdict != Passed && run.Verdict != Undecided {
			told = append(told, string(run.Verdict)+": "+run.Detail)
		}
	}
	return strings.Join(told, "\n")
}

// withoutRetry are people who answer as ever, and do nothing about a failure.
var withoutRetry = answers{AskSignoff: goingWell[AskSignoff], AskErrorRate: goingWell[AskErrorRate]}

func TestHost_RestartsInTheMiddleOfUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.once(upWords, func(job *fakeJob) {
			w.halfUp(h)
			h.restart(job, 90*time.Second)
		})
		w.run(withoutRetry)
		w.wantOneEnd(Succeeded)
		w.wantRunning(w.v1)
		if len(h.ups) != 2 || h.lease["boot"] != h.boot {
			t.Errorf("`up` ran as %v, want once more after the restart; the lease is %v", h.ups, h.lease)
		}
	})
}

func TestHost_RestartsInTheMiddleOfAPull(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.once("docker pull", func(job *fakeJob) { h.restart(job, 90*time.Second) })
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		delete(h.images, w.v1["worker"].String()) // pruned since the plan was made
		h.mu.Unlock()
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, withoutRetry)
		w.stop(r, p)
		w.wantOneEnd(Succeeded)
		w.wantRunning(w.v1)
	})
}

// Where somebody takes the app while the host restarts, and deploys, nothing of theirs is touched.
func TestHost_RestartsAndSomebodyElseIsFaster(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.once(upWords, func(job *fakeJob) {
			w.halfUp(h)
			h.restart(job, 90*time.Second)
			h.lease = map[string]string{"rollback": "lock", "epoch": "70", "boot": h.boot, "until": "99999999999", "holder": "CI of shop", "reason": "deploying v4"}
		})
		w.run(withoutRetry)
		w.wantOneEnd(Failed)
		if why := w.only().Why; !strings.Contains(why, "CI of shop") || len(h.ups) != 1 {
			t.Errorf("`up` ran as %v; it ended with %q", h.ups, why)
		}
	})
}

func TestHost_StaysAway(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.once(upWords, func(job *fakeJob) {
			w.halfUp(h)
			h.restart(job, 24*time.Hour)
		})
		w.run(withoutRetry)
		w.wantOneEnd(Failed)
		told := w.told()
		if !strings.HasPrefix(told, "unknown: ") || strings.Contains(told, "failed: ") || !strings.Contains(told, "can't be reached") {
			t.Errorf("people were told: %s", told)
		}
		if state := w.only().Hosts["deploy@one"]; state.Problem == "" || state.Running != nil {
			t.Errorf("the record says that it runs %v", state.Running)
		}
	})
}

// A command that somebody killed isn't begun again by itself: they had a reason.
func TestHost_SomebodyKillsUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.once(upWords, func(job *fakeJob) {
			w.halfUp(h)
			job.state = "killed"
		})
		r, p := w.start(0)
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatal(err)
		}
		people := answers{AskSignoff: goingWell[AskSignoff]}
		for w.only().Question() == nil || w.only().Question().Kind != AskFailed {
			time.Sleep(time.Second)
			if q := w.only().Question(); q != nil && q.Kind == AskSignoff {
				_ = w.click(r, w.only(), people[AskSignoff].answer, people[AskSignoff].by)
			}
		}
		if told := w.told(); !strings.Contains(told, "killed") || len(h.ups) != 1 {
			t.Errorf("`up` ran as %v; people were told: %s", h.ups, told)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		w.wantOneEnd(Succeeded)
		w.wantRunning(w.v1)
	})
}

// keyChanged is what package ssh says of a host whose known_hosts line changed under way.
var keyChanged = &HostError{Host: "deploy@one", Problem: "the host key has changed: it shows A, known is B", Remedy: "ask who runs the host whether its key was replaced"}

func TestHost_ItsKeyIsNotKnownAnyMoreInTheMiddleOfUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.onJob = func(_ *fakeJob, line string) bool {
			if strings.Contains(line, upWords) {
				h.unusable = keyChanged
			}
			return false
		}
		w.run(withoutRetry)
		w.wantOneEnd(Failed)
		// `up` went well over there. Nobody saw that: so it is said neither to have failed nor to run.
		told := w.told()
		if !strings.HasPrefix(told, "unknown: ") || strings.Contains(told, "failed: ") || !strings.Contains(told, keyChanged.Problem) || !strings.Contains(told, keyChanged.Remedy) {
			t.Errorf("people were told: %s", told)
		}
		if state := w.only().Hosts["deploy@one"]; !strings.Contains(state.Problem, keyChanged.Problem) || state.Running != nil {
			t.Errorf("the record says that it runs %v, for %q", state.Running, state.Problem)
		}
	})
}

// What a host answers while it starts is waited out: it hangs up, or lets nobody log in yet.
func TestHost_LetsNobodyInForAMoment(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.onJob = func(_ *fakeJob, line string) bool {
			if strings.Contains(line, upWords) {
				h.unusable = &HostError{Host: h.name, Problem: "it hangs up before it shows a host key", Remedy: "check it"}
				time.AfterFunc(time.Minute, func() {
					h.mu.Lock()
					defer h.mu.Unlock()
					h.unusable = nil
				})
			}
			return false
		}
		w.run(withoutRetry)
		w.wantOneEnd(Succeeded)
		w.wantRunning(w.v1)
		if len(h.ups) != 1 {
			t.Errorf("`up` ran as %v, want once", h.ups)
		}
	})
}

func TestHost_TheFolderOfACommandIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.once(upWords, func(job *fakeJob) {
			w.halfUp(h)
			job.gone = true
		})
		w.run(withoutRetry)
		w.wantOneEnd(Failed)
		told := w.told()
		if !strings.HasPrefix(told, "unknown: ") || strings.Contains(told, "failed: ") || !strings.Contains(told, "somebody removed it") || len(h.ups) != 1 {
			t.Errorf("`up` ran as %v; people were told: %s", h.ups, told)
		}
	})
}

// The lease is filled with rubbish under way: nothing is done on it, a person is told, and says when to go on.
func TestHost_TheLeaseIsFilledWithRubbish(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.upFails = 1
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		h.mu.Lock()
		h.rubbish = true
		h.mu.Unlock()
		for range 2 { // however often they try again
			if err := w.click(r, w.only(), Retry, "UONCALL"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if q := w.only().Question(); q == nil || !strings.Contains(q.Text, "can't be read") || len(h.ups) != 1 {
				t.Fatalf("it acted in the dark: `up` ran as %v, asked is %+v", h.ups, q)
			}
		}
		h.mu.Lock()
		h.rubbish, h.lease = false, nil // the person removed it
		h.mu.Unlock()
		w.play(r, p, goingWell)
		w.stop(r, p)
		w.wantOneEnd(Succeeded)
		w.wantRunning(w.v1)
	})
}

// With two hosts of which one restarts, the message says which, and the other one is not touched again.
func TestHost_OneOfTwoStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		two := w.hosts["deploy@two"]
		two.once(upWords, func(job *fakeJob) {
			w.halfUp(two)
			two.restart(job, 24*time.Hour)
		})
		w.run(withoutRetry)
		w.wantOneEnd(Failed)
		told := w.told()
		if !strings.Contains(told, "deploy@two: it can't be reached") || strings.Contains(told, "deploy@one: ") {
			t.Errorf("people were told: %s", told)
		}
		if state := w.only().Hosts["deploy@one"]; len(w.hosts["deploy@one"].ups) != 1 || !slices.ContainsFunc(state.Running, func(r Running) bool { return r.Image == w.v1["api"] }) {
			t.Errorf("the record says that the first host runs %+v, after %v", state.Running, w.hosts["deploy@one"].ups)
		}
	})
}

// A pull that takes minutes changes nothing that runs: whoever aborts doesn't wait for it, and leaves nothing behind.
func TestFetch_AnAbortStopsThePull(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.once("docker pull", func(job *fakeJob) { job.endsAt = time.Now().Add(10 * time.Minute) })
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		delete(h.images, w.v1["worker"].String()) // pruned since the plan was made
		h.mu.Unlock()
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if run, _ := w.only().Step(StepFetch); !run.EndedAt.IsZero() {
			t.Fatalf("the pull ended: %+v", run)
		}
		if err := w.click(r, w.only(), Abort, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		w.wantOneEnd(Aborted)
		w.wantRunning(w.v2)
		if h.lease["until"] != "0" || h.runningJob() != nil {
			t.Errorf("the lease is %v, and a pull runs: %v", h.lease, h.runningJob() != nil)
		}
		w.stop(r, p)
	})
}
