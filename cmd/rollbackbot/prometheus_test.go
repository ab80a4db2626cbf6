package main_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/picture"
	"rollbackbot/internal/probe"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// picturesVariable names a folder for what the tests draw. The README's picture is one of them.
const picturesVariable = "ROLLBACKBOT_SCREENSHOTS"

// How the three shops fare once v1 runs again.
const (
	recovers = "recovers"
	stays    = "stays"
	vanishes = "vanishes"
)

// The time of the story in front of Prometheus: what is an hour and five minutes for people is seconds here.
const (
	usualTime  = 4 * time.Second // in which v1 runs as usual
	brokenTime = 9 * time.Second // in which v2 fails, before anybody asks: a whole rateWindow is judged of it
	rateWindow = 6 * time.Second
)

// The error rates of the shop.
const (
	usualErrors  = 0.005
	brokenErrors = 0.4
)

// countingShop is an app that counts its requests for Prometheus.
type countingShop struct {
	server *http.Server
	listen string

	mu       sync.Mutex
	failing  float64
	requests float64
	errors   float64
}

// openShop serves counters that grow by 500 requests a second until the test ends.
func openShop(t *testing.T) *countingShop {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &countingShop{listen: listener.Addr().String(), failing: usualErrors}
	s.server = &http.Server{Handler: http.HandlerFunc(s.metrics)}
	closed := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { _ = s.server.Serve(listener) }) // ends when it is closed
	running.Go(func() {
		for {
			select {
			case <-closed:
				return
			case <-time.After(20 * time.Millisecond):
				s.mu.Lock()
				s.requests, s.errors = s.requests+10, s.errors+10*s.failing
				s.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		close(closed)
		_ = s.server.Close()
		running.Wait()
	})
	return s
}

func (s *countingShop) metrics(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(w, "# TYPE requests_total counter\nrequests_total{code=\"200\"} %g\nrequests_total{code=\"503\"} %g\n", s.requests-s.errors, s.errors)
}

func (s *countingShop) fail(rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = rate
}

// TestPrometheus_ThreeAnswers: a real Prometheus scrapes a shop whose error rate spikes and recovers, one whose error rate
// spikes and stays, and one that vanishes. The bot says so, with the curve, and asks nobody where it need not.
func TestPrometheus_ThreeAnswers(t *testing.T) {
	shops, config := map[string]*countingShop{}, "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\nscrape_configs:\n"
	for _, name := range []string{recovers, stays, vanishes} {
		shops[name] = openShop(t)
		config += fmt.Sprintf("- {job_name: %s, static_configs: [{targets: [%q]}]}\n", name, shops[name].listen)
	}
	address := parts.StartPrometheus(t, config)
	for _, name := range []string{recovers, stays, vanishes} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			playRate(t, address, name, shops[name])
		})
	}
}

// playRate plays a whole rollback, and checks what came of it.
func playRate(t *testing.T, address, name string, shop *countingShop) {
	b := newBed(t, t.TempDir())
	if err := b.slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	span := "2s"
	if name == vanishes {
		span = "1m" // which gives numbers for long after the shop is gone
	}
	b.app.ErrorRate = runbook.ErrorRate{
		Window: rateWindow, Tolerance: 0.1, Floor: 0.01,
		Query: fmt.Sprintf(`sum(rate(requests_total{job=%[1]q,code="503"}[%[2]s])) / sum(rate(requests_total{job=%[1]q}[%[2]s]))`, name, span),
	}
	rates, err := probe.NewPrometheus(map[string]string{b.app.Name: address})
	if err != nil {
		t.Fatal(err)
	}
	b.rates, b.draw = rates, keepPicture(t, name)
	b.story(shop)
	workspace := b.slack.Workspace()
	b.serve(bot.NewClient(workspace.BotToken, workspace.AppToken, b.slack.APIURL()), nil)
	defer b.stop()
	b.connected(t)
	request := b.asks()
	b.wantAbove()
	b.presses(lead, request.TS, string(runbook.SignoffInPlace))
	b.until("the deployment", func(f runbook.Fact) bool {
		finished, is := f.(runbook.StepFinished)
		return is && finished.Step == runbook.StepDeploy
	})
	switch name {
	case recovers:
		shop.fail(usualErrors)
	case vanishes:
		if err := shop.server.Close(); err != nil {
			t.Fatal(err)
		}
	}
	switch name {
	case recovers:
		b.ends()
		b.wantRate(request.TS, runbook.RateBack, "back at its baseline", "the baseline is 0.5 %")
		if record := ofKind(b.slack.Snapshot(), "rollback_record")[0]; parseRecord(t, record).Outcome != "succeeded" || !strings.Contains(record.Text, "Error rate: ") {
			t.Errorf("the record is %s", record.Text)
		}
	case stays:
		b.question(t, request.TS, string(runbook.Retry))
		b.presses(onCall, request.TS, string(runbook.Abort))
		b.ends()
		b.wantRate(request.TS, runbook.RateElevated, "still elevated", "is 40 %")
	case vanishes:
		b.question(t, request.TS, string(runbook.ErrorRateBaseline))
		b.presses(onCall, request.TS, string(runbook.Abort))
		b.ends()
		b.wantRate(request.TS, runbook.RateNoData, "could not be judged", "scraped any more")
	}
}

// story is the time before: v1 as usual, then v2, which fails.
func (b *sickbed) story(shop *countingShop) {
	b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		sample, err := b.rates.Now(b.Context(), b.app)
		if err == nil && sample.Rate > usualErrors/2 && sample.Rate < usualErrors*2 {
			break
		}
		if time.Now().After(deadline) {
			b.Fatalf("the shop's error rate is %+v, %v", sample, err)
		}
	}
	for version, lasts := range []time.Duration{1: usualTime, 2: brokenTime} {
		if version == 0 {
			continue
		}
		note := runbook.Deployed{Images: shopImages(version), Version: fmt.Sprintf("v%d", version), Migration: runbook.MigrationUnknown}
		if _, err := history.NoteDeployment(b.Context(), b.store, b.app, note); err != nil {
			b.Fatal(err)
		}
		if version == 2 {
			shop.fail(brokenErrors)
		}
		time.Sleep(lasts)
	}
}

// wantAbove fails the test unless the plan says, as evidence, that the error rate is above its baseline since v2 came up.
func (b *sickbed) wantAbove() {
	b.Helper()
	var evidence []runbook.Criterion
	b.until("the request", func(f runbook.Fact) bool {
		requested, is := f.(runbook.Requested)
		if is {
			evidence = requested.Plan.Evidence
		}
		return is
	})
	for _, c := range runbook.HeldOf(evidence) {
		if c.Name == runbook.CriterionErrorRate && strings.Contains(c.Detail, "usual is 0.5 %") {
			b.Logf("evidence: %s", c.Detail)
			return
		}
	}
	b.Errorf("the plan doesn't say that the error rate is above its baseline: %+v", evidence)
}

// wantRate fails the test unless the judgement is the one that is wanted, and the thread says so once, with a picture and
// the words.
func (b *sickbed) wantRate(request string, verdict runbook.RateVerdict, words ...string) {
	b.Helper()
	var said []localslack.Message
	for _, m := range b.slack.Snapshot().Replies(channel, request) {
		if m.Metadata != nil && strings.HasPrefix(keyOf(m), "error-rate-") {
			said = append(said, m)
		}
	}
	if len(said) != 1 || !strings.Contains(string(said[0].Blocks), `"slack_file"`) {
		b.Fatalf("%d messages with the curve, want one:\n%s", len(said), b.transcript())
	}
	for _, word := range words {
		if !strings.Contains(said[0].Text, word) {
			b.Errorf("the message lacks %q: %s", word, said[0].Text)
		}
	}
	_, found := b.happened(func(f runbook.Fact) bool {
		finished, is := f.(runbook.StepFinished)
		return is && finished.Outcome.Rate != nil && finished.Outcome.Rate.Verdict == verdict
	})
	if !found {
		b.Errorf("the journal has no judgement %s\n%s", verdict, b.transcript())
	}
	b.Logf("%s", said[0].Text)
}

// keepPicture draws as the bot does, and keeps the picture where pictures of tests are asked for.
func keepPicture(t *testing.T, name string) func(runbook.Rollback, runbook.StepRun) ([]byte, string, error) {
	return func(rb runbook.Rollback, run runbook.StepRun) ([]byte, string, error) {
		content, alt, err := picture.ErrorRate(rb, run)
		if folder := os.Getenv(picturesVariable); folder != "" && err == nil {
			if err := os.WriteFile(filepath.Join(folder, "error-rate-"+name+".png"), content, 0o644); err != nil {
				t.Error(err)
			}
		}
		t.Logf("alt: %s", alt)
		return content, alt, err
	}
}
