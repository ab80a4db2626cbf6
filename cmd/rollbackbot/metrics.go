package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// serveMetrics answers Prometheus with the few numbers that one alerts on, in its text format:
// https://prometheus.io/docs/instrumenting/exposition_formats/. What the database would say is left out while it does not
// answer, and rollbackbot_database_up says why. What is counted is counted in the journal, for all processes and all time;
// what isn't is of this process and says so: it begins at 0 with it, as Prometheus expects of a counter.
func (r *replica) serveMetrics(w http.ResponseWriter, request *http.Request) {
	ctx, cancel := context.WithTimeout(request.Context(), databaseTimeout)
	defer cancel()
	var out exposition
	now := r.ready(ctx)
	out.family("rollbackbot_build_info", "gauge", "The build, as `rollbackbot version` says it.")
	out.sample("rollbackbot_build_info", 1, "version", version)
	out.single("rollbackbot_acting", "Whether this process acts: it owns the journal, carries rollbacks and observes hosts.", truth(now.Acting))
	out.single("rollbackbot_slack_sockets", "Connections to Slack that listen. 0: nobody is heard by this process.", float64(now.Sockets))
	out.single("rollbackbot_database_up", "Whether the database answers.", truth(now.Database))
	if heard := r.heard.Load(); heard > 0 {
		out.single("rollbackbot_last_event_timestamp_seconds", "When this process last heard and stored what somebody said in Slack, in Unix seconds; absent: not since its start.", float64(heard)/1000)
	}
	out.family("rollbackbot_last_observation_timestamp_seconds", "gauge", "When the app's hosts were last seen, in Unix seconds, by the process that acts.")
	for _, app := range appNames(r.cfg) {
		if at, seen := r.observed.Load(app); seen && now.Acting {
			out.sample("rollbackbot_last_observation_timestamp_seconds", seconds(at.(time.Time)), "app", app)
		}
	}
	r.observationAges(&out)
	r.countOwn(&out)
	if now.Database {
		r.countRollbacks(ctx, &out)
		r.waitFor(ctx, &out)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, out.String()) // whoever asked is gone
}

// observationAges adds how long ago each app's hosts were seen. An app that was not seen yet is as old as this process's
// acting, so that hosts out of reach from the start are noticed as well.
func (r *replica) observationAges(out *exposition) {
	out.single("rollbackbot_observe_interval_seconds", "How often each app's hosts are to be seen, in seconds: ROLLBACK_OBSERVE_INTERVAL.", r.cfg.ObserveInterval.Seconds())
	out.family("rollbackbot_observation_age_seconds", "gauge", "Seconds since the process that acts last saw the app's hosts, or since it began to act.")
	t := r.current()
	if t == nil || t.owner.Err() != nil {
		return
	}
	for _, app := range appNames(r.cfg) {
		since := t.since
		if at, seen := r.observed.Load(app); seen && at.(time.Time).After(since) {
			since = at.(time.Time)
		}
		out.sample("rollbackbot_observation_age_seconds", time.Since(since).Seconds(), "app", app)
	}
}

// countOwn adds what only this process knows of.
func (r *replica) countOwn(out *exposition) {
	out.family("rollbackbot_phase_seconds_total", "counter", "Seconds that phases of rollbacks took, in this process since its start; a phase that a restart cut is not in it.")
	for _, app := range appNames(r.cfg) {
		for _, p := range phases {
			out.sample("rollbackbot_phase_seconds_total", r.tally.spent(app, p).took.Seconds(), "app", app, "phase", string(p))
		}
	}
	out.family("rollbackbot_phase_runs_total", "counter", "How many runs of phases rollbackbot_phase_seconds_total is the sum of, in this process since its start.")
	for _, app := range appNames(r.cfg) {
		for _, p := range phases {
			out.sample("rollbackbot_phase_runs_total", float64(r.tally.spent(app, p).runs), "app", app, "phase", string(p))
		}
	}
	out.family("rollbackbot_quarantine_hits_total", "counter", "Requests over HTTP that were told of a quarantined image, by what was asked for, of this process since its start.")
	for _, door := range []gateDoor{doorAllowed, doorDeployed} {
		out.sample("rollbackbot_quarantine_hits_total", float64(r.tally.quarantineHits(door)), "door", string(door))
	}
}

// countRollbacks adds what the journal says. Every outcome of every app is there from the start, since a counter that
// appears with its first count shows no increase.
func (r *replica) countRollbacks(ctx context.Context, out *exposition) {
	counts, open, blocked := map[string]map[runbook.Outcome]int{}, map[string]int{}, map[string]int{}
	for _, app := range appNames(r.cfg) {
		history, err := r.chronicle.History(ctx, r.store, app)
		if err != nil {
			r.log.Warn().Err(err).Str("app", app).Msg("the rollbacks could not be counted")
			continue
		}
		counts[app], blocked[app] = map[runbook.Outcome]int{}, len(history.Blocked())
		for _, rb := range history.Rollbacks() {
			if rb.Outcome == "" {
				open[app]++
			} else {
				counts[app][rb.Outcome]++
			}
		}
	}
	out.family("rollbackbot_open_rollbacks", "gauge", "Rollbacks that have not ended.")
	for _, app := range appNames(r.cfg) {
		if counts[app] != nil {
			out.sample("rollbackbot_open_rollbacks", float64(open[app]), "app", app)
		}
	}
	out.family("rollbackbot_quarantined_images", "gauge", "Images in quarantine.")
	for _, app := range appNames(r.cfg) {
		if counts[app] != nil {
			out.sample("rollbackbot_quarantined_images", float64(blocked[app]), "app", app)
		}
	}
	out.family("rollbackbot_rollbacks_total", "counter", "Rollbacks that have ended, by their outcome, as the journal has them: of all processes, a restart does not reset it.")
	for _, app := range appNames(r.cfg) {
		for _, outcome := range runbook.Outcomes {
			if counts[app] != nil {
				out.sample("rollbackbot_rollbacks_total", float64(counts[app][outcome]), "app", app, "outcome", string(outcome))
			}
		}
	}
}

// exposition is a page of Prometheus' text format.
type exposition struct{ strings.Builder }

func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n", name, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help), name, kind)
}

// sample adds one number; labels are names and values in turn.
func (e *exposition) sample(name string, value float64, labels ...string) {
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(labels[i+1])+`"`)
	}
	if len(pairs) > 0 {
		name += "{" + strings.Join(pairs, ",") + "}"
	}
	fmt.Fprintf(e, "%s %s\n", name, strconv.FormatFloat(value, 'f', -1, 64))
}

func (e *exposition) single(name, help string, value float64) {
	e.family(name, "gauge", help)
	e.sample(name, value)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }
