package main_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
)

// TestStatus_TellsTheTruth asks /readyz while Slack and the database come and go.
func TestStatus_TellsTheTruth(t *testing.T) {
	t.Parallel()
	server := parts.StartPostgreSQL(t)
	slack := startSlack(t)
	p := unreachable(t, slack)
	p.env["ROLLBACK_DATABASE_URL"] = server.Database(t)
	p.env["ROLLBACK_HTTP_ADDR"] = freeAddress(t)
	first := p.serve(t, nil)
	asks := &asking{address: p.env["ROLLBACK_HTTP_ADDR"]}
	asks.until(t, http.StatusOK, `"ready": true`, `"listening": true`, `"database": true`, `"acting": true`)

	second := p.with(map[string]string{"ROLLBACK_HTTP_ADDR": freeAddress(t), "ROLLBACK_HTTP_TOKEN": gateToken})
	standing := second.serve(t, nil)
	(&asking{address: second.env["ROLLBACK_HTTP_ADDR"]}).until(t, http.StatusOK, `"ready": true`, `"acting": false`)
	if status, text := (&asking{address: second.env["ROLLBACK_HTTP_ADDR"]}).get(t, "/metrics"); status != http.StatusOK || !strings.Contains(text, "\nrollbackbot_acting 0\n") {
		t.Errorf("a replica that stands by: %d %s", status, text)
	}
	// A note needs no ownership, so that one that stands by takes it as well.
	away := &program{binary: p.binary, env: map[string]string{"ROLLBACK_URL": "http://" + second.env["ROLLBACK_HTTP_ADDR"], "ROLLBACK_HTTP_TOKEN": gateToken}}
	away.mustRun(t, "deployed", "shop", "--version", "v7", "--image", "api="+image("api", "a").String(), "--image", "worker="+image("worker", "b").String(), "--image", "web="+image("web", "c").String())
	away.mustRun(t, "allowed", image("api", "a").String())
	if history := p.mustRun(t, "history", "shop"); !strings.Contains(history, "v7") {
		t.Errorf("what was noted with a replica that stands by is not in the history:\n%s", history)
	}
	p.mustRun(t, "audit", "verify")
	standing.stop(t)
	metrics := func(parts ...string) {
		t.Helper()
		status, text := asks.get(t, "/metrics")
		for _, part := range append(parts, "# TYPE rollbackbot_acting gauge\n", "rollbackbot_build_info{version=") {
			if status != http.StatusOK || !strings.Contains("\n"+text, "\n"+part) {
				t.Errorf("/metrics answers %d and lacks %q:\n%s", status, part, text)
			}
		}
		checkExposition(t, text)
	}
	metrics("rollbackbot_acting 1\n", "rollbackbot_slack_sockets ", "rollbackbot_database_up 1\n", `rollbackbot_open_rollbacks{app="shop"} 0`+"\n",
		`rollbackbot_rollbacks_total{app="shop",outcome="rolled_forward"} 0`+"\n",
		`rollbackbot_observation_age_seconds{app="shop"} `, "rollbackbot_observe_interval_seconds 60\n", `rollbackbot_quarantined_images{app="shop"} 0`+"\n",
		`rollbackbot_quarantine_hits_total{door="deployed"} 0`+"\n", `rollbackbot_phase_runs_total{app="shop",phase="error_rate"} 0`+"\n",
		"# TYPE rollbackbot_waiting_since_timestamp_seconds gauge\n")
	p.mustRun(t, "serve", "--healthy")

	server.Stop(t, "fast")
	asks.until(t, http.StatusServiceUnavailable, `"ready": false`, `"database": false`, `"listening": true`, "ROLLBACK_DATABASE_URL")
	metrics("rollbackbot_database_up 0\n")
	server.Start(t)
	asks.until(t, http.StatusOK, `"ready": true`)

	slack.Fault(func(call localslack.Call) *localslack.Fault {
		if call.Method == "apps.connections.open" {
			return &localslack.Fault{Error: "token_revoked"}
		}
		return nil
	})
	slack.DropSockets()
	asks.until(t, http.StatusServiceUnavailable, `"listening": false`, "token_revoked", "SLACK_APP_TOKEN")
	if status, text := asks.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d %s", status, text)
	}
	if status, _ := asks.get(t, "/metricsz"); status != http.StatusNotFound {
		t.Errorf("a path that is not there: %d", status)
	}
	first.stop(t)
}

// expositionLine is a line of Prometheus' text format, as far as this program writes it.
var expositionLine = regexp.MustCompile(`^(# HELP [a-z_]+ [^\n]+|# TYPE [a-z_]+ (gauge|counter)|[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9]+(\.[0-9]+)?)$`)

// checkExposition wants every line to be one, every family once, and every sample after its family's type.
func checkExposition(t *testing.T, text string) {
	t.Helper()
	typed, seen := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !expositionLine.MatchString(line) || seen[line] {
			t.Errorf("no line of an exposition, or there twice: %q", line)
		}
		seen[line] = true
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '{' })
		if fields[0] == "#" && fields[1] == "TYPE" {
			if typed[fields[2]] {
				t.Errorf("%s is there twice", fields[2])
			}
			typed[fields[2]] = true
		}
		if fields[0] != "#" && !typed[fields[0]] {
			t.Errorf("a sample without its type: %q", line)
		}
	}
}

func TestStatus_AddressTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := unreachable(t, startSlack(t))
	p.env["ROLLBACK_HTTP_ADDR"] = taken.Addr().String()
	bot := p.serve(t, nil)
	if status := bot.wait(t); status != 2 || !strings.Contains(bot.text(), "ROLLBACK_HTTP_ADDR") {
		t.Errorf("ends with status %d, want 2 and the variable's name:\n%s", status, bot.text())
	}
}

// freeAddress is a loopback address that nobody listened on a moment ago.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// asking asks a replica how it is.
type asking struct{ address string }

func (a *asking) get(tb testing.TB, path string) (status int, text string) {
	tb.Helper()
	client := http.Client{Timeout: patience}
	answer, err := client.Get("http://" + a.address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	if path == "/readyz" && !json.Valid(body) {
		tb.Errorf("%s is no JSON: %s", path, body)
	}
	return answer.StatusCode, string(body)
}

// until asks /readyz until the answer is as wanted.
func (a *asking) until(tb testing.TB, want int, parts ...string) {
	tb.Helper()
	var status int
	var text string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		status, text = a.get(tb, "/readyz")
		missing := false
		for _, part := range parts {
			missing = missing || !strings.Contains(text, part)
		}
		if status == want && !missing {
			return
		}
	}
	tb.Fatalf("/readyz answers %d, want %d with %q:\n%s", status, want, parts, text)
}
