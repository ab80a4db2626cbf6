package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

// startedOtherwise starts the app in ways that nobody configured, and wants each to be found on the host: it is followed, or
// the difference is named with the line to write.
func startedOtherwise(t *testing.T, b *bench) {
	const more = "infra/more.yml"
	write := func(name, content string) {
		t.Helper()
		file := filepath.Join(b.folder, name)
		if err := errors.Join(os.WriteFile(file, []byte(content), 0o644), b.lane.give(file)); err != nil {
			t.Fatal(err)
		}
	}
	types := func(line string) {
		t.Helper()
		if err := b.types(t.Context(), line); err != nil {
			t.Fatal(err)
		}
	}
	preflight := func(files ...string) (runbook.AppHost, runbook.HostReport, error) {
		app := b.app
		app.ComposeFiles = files
		on := b.Hosts().On(app, b.Host())
		report, err := on.Preflight(t.Context(), false)
		return on, report, err
	}
	services := strings.Join(b.app.ServiceNames(), " ")
	write(more, "services:\n  api:\n    environment:\n      MORE: \"1\"\n")

	// An override beside the configured file.
	types("docker compose -f " + composeFile + " -f " + more + " up -d " + services)
	_, _, err := preflight(composeFile)
	var found *runbook.PreflightError
	if !errors.As(err, &found) || len(found.Problems) != 1 || !strings.HasSuffix(found.Problems[0].Remedy, "_COMPOSE_FILE="+composeFile+","+more) {
		t.Fatalf("of a file that would be dropped it says %v", err)
	}
	_, remedy, _ := strings.Cut(found.Problems[0].Remedy, "=")
	if _, report, err := preflight(strings.Split(remedy, ",")...); err != nil || report.Launch != nil || slices.ContainsFunc(report.Stack, func(s runbook.ServiceReport) bool { return s.Drifted }) {
		t.Errorf("after the remedy it reports %+v, %v", report, err)
	}
	if _, report, err := preflight(); err != nil || strings.Join(report.Launch, " ") != "-f "+composeFile+" -f "+more {
		t.Errorf("with nothing configured it is called by %q, %v", report.Launch, err)
	}

	// COMPOSE_FILE in the .env of the folder one stands in, which then wins over the one beside the files.
	write(".env", "COMPOSE_FILE="+composeFile+":"+more+"\n")
	types("docker compose up -d " + services)
	if _, report, err := preflight(); err != nil || strings.Join(report.Launch, " ") != "-f "+composeFile+" -f "+more+" --env-file infra/.env --env-file .env" || report.PinsFile != filepath.Join(b.folder, ".env") {
		t.Errorf("with COMPOSE_FILE in .env it is called by %q with the pins in %s, %v", report.Launch, report.PinsFile, err)
	}

	// Another project's name, and an env file: a plan for that is carried out.
	types("docker compose down --timeout 0")
	if err := os.Rename(b.pinsFile(), filepath.Join(b.folder, "prod.env")); err != nil {
		t.Fatal(err)
	}
	other := "docker compose -p " + b.app.Name + "-blue --env-file prod.env -f " + composeFile
	t.Cleanup(func() { _ = b.types(t.Context(), other+" down --timeout 0") }) // what it leaves is found by others
	defer types(other + " down --timeout 0")
	types(other + " up -d " + services)
	on, report, err := preflight()
	if want := "-p " + b.app.Name + "-blue -f " + composeFile + " --env-file prod.env"; err != nil || strings.Join(report.Launch, " ") != want || report.Project != b.app.Name+"-blue" {
		t.Fatalf("it is called by %q as %s, %v; want %q", report.Launch, report.Project, err, want)
	}
	plan := runbook.HostPlan{Host: b.Host(), Project: report.Project, EnvFile: report.PinsFile, Launch: report.Launch, Dependents: report.Dependents}
	former := b.Release(hosttest.Former).Images
	for _, service := range b.app.Services {
		plan.Services = append(plan.Services, runbook.ServicePlan{Service: service.Name, Variable: service.Variable, To: former[service.Name], Containers: 1})
	}
	lease := runbook.Lease{Rollback: "rb-blue", Epoch: 1, Since: time.Now()}
	job := runbook.Job{Name: "up", Limit: time.Minute, Command: b.Hosts().Commands(b.app, plan).Up, Up: plan.Services}
	err = errors.Join(
		on.Take(t.Context(), lease, true, 0),
		on.EditPins(t.Context(), lease, plan.EnvFile, func([]runbook.Pin) ([]runbook.Pin, error) { return plan.Pins(), nil }),
		on.Prove(t.Context(), former, runbook.FromFile),
		on.Start(t.Context(), lease, job),
	)
	if err != nil {
		t.Fatal(err)
	}
	for progress := (runbook.Progress{State: runbook.JobRunning}); progress.State == runbook.JobRunning; {
		if progress, err = on.Follow(t.Context(), lease, job.Name, 0, false); err != nil {
			t.Fatal(err)
		}
		if progress.State != runbook.JobRunning && (progress.State != runbook.JobEnded || progress.Status != 0) {
			t.Fatalf("%s ended as %s with %d: %s", job.Command, progress.State, progress.Status, progress.Output)
		}
		if len(progress.Output) > 0 && progress.State == runbook.JobRunning {
			time.Sleep(100 * time.Millisecond)
		}
	}
	if view, err := on.Look(t.Context(), report.Project); err != nil || !view.Runs(former) || !slices.Equal(view.Pins, plan.Pins()) {
		t.Errorf("after it there runs %+v with the pins %+v, %v", view.Services, view.Pins, err)
	}
}
