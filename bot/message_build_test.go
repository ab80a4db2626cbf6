package bot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/compose"
	"rollbackbot/runbook"
)

var asked = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// story is a rollback as its events make it, one after the other.
type story struct {
	t    *testing.T
	rb   runbook.Rollback
	at   time.Time
	plan runbook.Plan
	app  runbook.App
	id   string // empty: rb-7q2mzk4x
}

func imageOf(service string, version int) runbook.Image {
	return runbook.Image{Name: "ghcr.io/acme/shop/" + service, Digest: runbook.Digest(fmt.Sprintf("sha256:%04d%x%058d", version, service[1:2], 0))}
}

func imagesOf(services []string, version int) map[string]runbook.Image {
	images := map[string]runbook.Image{}
	for _, s := range services {
		images[s] = imageOf(s, version)
	}
	return images
}

func testApp(services ...string) runbook.App {
	app := runbook.App{
		Name: "shop", Dir: "/opt/shop", ComposeFiles: []string{"infra/docker-compose.prod.yml"},
		Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
		Health:            runbook.Health{Attempts: 12, Interval: 10 * time.Second},
		ErrorRate:         runbook.ErrorRate{Window: 5 * time.Minute, DashboardURL: "https://grafana.example/d/shop?from=now-1h&to=now"},
		RestoreRunbookURL: "docs/runbooks/restore-database-backup.md",
	}
	for _, s := range services {
		app.Services = append(app.Services, runbook.Service{Name: s, Variable: strings.ToUpper(s) + "_IMAGE"})
	}
	return app
}

// testPlan goes from version 2 to version 1. Its commands are of the form that the runbook makes.
func testPlan(app runbook.App, hosts ...runbook.Host) runbook.Plan {
	names := app.ServiceNames()
	plan := runbook.Plan{
		App: app.Name, Running: "v2",
		Target: runbook.Release{
			ID: runbook.ReleaseID(imagesOf(names, 1)), Version: "v1", Images: imagesOf(names, 1),
			VerifiedAt: asked.Add(-49 * time.Hour), LastLiveAt: asked.Add(-50 * time.Hour),
		},
		Migration: runbook.MigrationFacts{
			Why:      "v2: deployment note says yes",
			Releases: []runbook.ReleaseFact{{Release: "v2", Migration: runbook.MigrationYes, Source: "deployment note says yes"}},
		},
	}
	for _, host := range hosts {
		h := runbook.HostPlan{Host: host, Project: "shop", EnvFile: "/opt/shop/infra/.env"}
		for _, s := range app.Services {
			h.Services = append(h.Services, runbook.ServicePlan{Service: s.Name, Variable: s.Variable, From: imageOf(s.Name, 2), To: imageOf(s.Name, 1), Containers: 1, ConfigHash: "c0ffee"})
		}
		h.Commands = commandsOf(app)(h)
		plan.Hosts = append(plan.Hosts, h)
	}
	return plan
}

// commandsOf are lines as a host with docker has them.
func commandsOf(app runbook.App) func(runbook.HostPlan) runbook.Commands {
	return func(plan runbook.HostPlan) runbook.Commands { return (&compose.Hosts{}).Commands(app, plan) }
}

func newStory(t *testing.T) *story {
	app := testApp("api", "worker", "web")
	return &story{t: t, at: asked, app: app, plan: testPlan(app, "deploy@one", "deploy@two")}
}

func (s *story) event(after time.Duration, facts ...runbook.Fact) *story {
	s.t.Helper()
	s.at = s.at.Add(after)
	for _, fact := range facts {
		next, err := s.rb.Apply(runbook.Event{App: "shop", Rollback: orElse(s.id, "rb-7q2mzk4x"), Seq: s.rb.Seq + 1, At: s.at, Fact: fact, Hash: fmt.Sprintf("%064x", s.rb.Seq+1)})
		if err != nil {
			s.t.Fatal(err)
		}
		s.rb = next
	}
	return s
}

func (s *story) view() view {
	return view{leads: []string{"U0LEAD", "S0LEADS"}, deputies: []string{"U0DEPUTY"}, app: s.app, now: s.at}
}

func (s *story) request() runbook.Request {
	return runbook.Request{App: "shop", Reason: "checkout answers 500", Migration: "yes", Owner: "U0OWNER", By: "U0ONCALL", At: asked}
}

func (s *story) requested() *story { return s.requestedWith(s.request(), signoffQuestion(1, s.plan)) }

func (s *story) requestedWith(request runbook.Request, q runbook.Question) *story {
	return s.event(0, runbook.Requested{Request: request, Plan: s.plan, Question: q})
}

func signoffQuestion(id int64, plan runbook.Plan) runbook.Question {
	return runbook.Question{
		ID: id, Kind: runbook.AskSignoff, Plan: plan.Hash(), Text: "it is not proven that there was no migration: " + plan.Migration.Why,
		Answers:  []runbook.Answer{runbook.SignoffInPlace, runbook.SignoffReverted, runbook.SignoffNone, runbook.SignoffReject},
		Deadline: asked.Add(30 * time.Minute),
	}
}

func confirmQuestion(plan runbook.Plan) runbook.Question {
	return runbook.Question{ID: 1, Kind: runbook.AskConfirm, Plan: plan.Hash(), Answers: []runbook.Answer{runbook.Confirm}, Deadline: asked.Add(30 * time.Minute)}
}

func (s *story) answer(a runbook.Answer, by string) *story {
	q := s.rb.Question()
	return s.event(time.Minute, runbook.Answered{Question: q.ID, Answer: a, By: by, Plan: q.PlanFor(a)})
}

func (s *story) step(name runbook.StepName, outcome runbook.StepOutcome) *story {
	return s.start(name).event(5*time.Second, runbook.StepFinished{Step: name, Attempt: s.attempt(name), Outcome: outcome})
}

func (s *story) start(name runbook.StepName) *story {
	return s.event(time.Second, runbook.StepStarted{Step: name, Attempt: s.attempt(name) + 1})
}

func (s *story) attempt(name runbook.StepName) int {
	run, _ := s.rb.Step(name)
	return run.Attempt
}

var passed = runbook.StepOutcome{Verdict: runbook.Passed}

func (s *story) pass(names ...runbook.StepName) *story {
	for _, name := range names {
		s.step(name, passed)
	}
	return s
}

// touch is that containers are being replaced on a host.
func (s *story) touch(hosts ...runbook.Host) *story {
	for _, host := range hosts {
		s.event(0, runbook.CommandStarted{Host: host, Step: runbook.StepDeploy, Job: "up-1", Command: "docker compose up"})
	}
	return s
}

func (s *story) looked(host runbook.Host, version int) *story {
	var running []runbook.Running
	for _, service := range s.app.Services {
		running = append(running, runbook.Running{Service: service.Name, Image: imageOf(service.Name, version), Containers: 1})
	}
	return s.event(0, runbook.Looked{Host: host, Running: running})
}

func (s *story) ask(q runbook.Question, forward *runbook.Plan) *story {
	q.ID, q.Plan, q.Deadline = int64(len(s.rb.Questions)+1), s.rb.Going().Hash(), s.at.Add(30*time.Minute)
	if forward != nil {
		q.Forward = forward.Hash()
	}
	return s.event(time.Second, runbook.Asked{Question: q, Forward: forward})
}

// signed is a rollback that a lead has signed off.
func (s *story) signed() *story { return s.requested().answer(runbook.SignoffInPlace, "U0LEAD") }

// deployed is one whose containers have been replaced on both hosts.
func (s *story) deployed() *story {
	s.signed().pass(runbook.StepIdentify, runbook.StepFetch, runbook.StepPin).start(runbook.StepDeploy)
	s.touch("deploy@one", "deploy@two").looked("deploy@one", 1).looked("deploy@two", 1)
	return s.event(20*time.Second, runbook.StepFinished{Step: runbook.StepDeploy, Attempt: 1, Outcome: passed})
}

// broken is one that failed on its second host and asks what now.
func (s *story) broken() *story {
	s.signed().pass(runbook.StepIdentify, runbook.StepFetch, runbook.StepPin).start(runbook.StepDeploy)
	s.touch("deploy@one", "deploy@two").looked("deploy@one", 1).looked("deploy@two", 2)
	s.event(20*time.Second, runbook.StepFinished{Step: runbook.StepDeploy, Attempt: 1, Outcome: runbook.StepOutcome{
		Verdict: runbook.Broken, Detail: "deploy@two: `docker compose up` ended with status 1", Output: "Container shop-api-1  Recreate\nError response from daemon: <!channel> no space left on device",
	}})
	forward := s.plan.Reverse(commandsOf(s.app))
	return s.ask(runbook.Question{Kind: runbook.AskFailed, Text: "deploy@two: `docker compose up` ended with status 1",
		Answers: []runbook.Answer{runbook.Retry, runbook.RollForward, runbook.Abort}}, &forward)
}

// judging is one whose error rate a person has to judge.
func (s *story) judging() *story {
	s.deployed().pass(runbook.StepHealth)
	s.step(runbook.StepErrorRate, runbook.StepOutcome{Verdict: runbook.Undecided, Detail: "no Prometheus is configured"})
	return s.ask(runbook.Question{Kind: runbook.AskErrorRate, Text: "no Prometheus is configured",
		Answers: []runbook.Answer{runbook.ErrorRateBaseline, runbook.ErrorRateElevated}}, nil)
}

func (s *story) end(outcome runbook.Outcome, why string) *story {
	s.event(time.Second, runbook.Ended{Outcome: outcome, Why: why})
	if s.rb.Touched() && !s.rb.Drill() {
		s.event(0, runbook.OwnerAsked{Owner: "U0OWNER", RemindAt: s.at.Add(time.Hour), TellAt: s.at.Add(2 * time.Hour)})
	}
	return s
}

func (s *story) succeeded() *story {
	return s.judging().answer(runbook.ErrorRateBaseline, "U0ONCALL").pass(runbook.StepMigration).
		end(runbook.Succeeded, "digests, health checks and error rate were seen to be right")
}

// rated is a rollback whose error rate the bot has read: its median, and the run's outcome around the judgement.
func (s *story) rated(median float64, b runbook.Baseline, j runbook.RateJudgement, outcome runbook.StepOutcome) *story {
	s.deployed().pass(runbook.StepHealth).event(0, runbook.BaselineFrozen{Baseline: b})
	j.Median, j.Readings, j.Span, j.Floor = median, 13, time.Minute, 0.01
	outcome.Rate = &j
	return s.step(runbook.StepErrorRate, outcome)
}

var knownBaseline = runbook.Baseline{Rate: 0.0022, From: asked.Add(-2 * time.Hour), Until: asked.Add(-time.Hour), Samples: 61}

func (s *story) back() *story {
	return s.rated(0.0024, knownBaseline, runbook.RateJudgement{Verdict: runbook.RateBack, Limit: 0.01}, runbook.StepOutcome{Verdict: runbook.Passed})
}

func (s *story) elevated() *story {
	s.rated(0.41, knownBaseline, runbook.RateJudgement{Verdict: runbook.RateElevated, Limit: 0.01}, runbook.StepOutcome{Verdict: runbook.Broken, Detail: "the error rate is still elevated"})
	run, _ := s.rb.Step(runbook.StepErrorRate)
	return s.ask(runbook.Question{Kind: runbook.AskFailed, Text: "the error rate is still elevated: " + run.Rate.Describe(s.rb.Baseline) + "; healthy for the whole window of 5m0s",
		Answers: []runbook.Answer{runbook.Retry, runbook.Abort}}, nil)
}

func (s *story) unjudged() *story {
	const missing = "there is no baseline: nobody saw the release in question come up"
	s.rated(0.0024, runbook.Baseline{Problem: "nobody saw the release in question come up"}, runbook.RateJudgement{Verdict: runbook.RateNoData, Missing: missing}, runbook.StepOutcome{Verdict: runbook.Undecided})
	return s.ask(runbook.Question{Kind: runbook.AskErrorRate, Answers: []runbook.Answer{runbook.ErrorRateBaseline, runbook.ErrorRateElevated},
		Text: "healthy for the whole window of 5m0s; whether the error rate is back at its baseline could not be judged: " + missing + "; the median of the last minute is 0.24 %"}, nil)
}
