package main_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"rollbackbot/internal/journal"
	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// gateToken is one that config takes.
const gateToken = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

// TestPipelines runs the blocks of docs/pipelines.md as they stand there, against a bot that serves: with images that may
// be deployed, with one that is quarantined, with another token, and with nobody there.
func TestPipelines(t *testing.T) {
	t.Parallel()
	parts.Curl(t)
	commands, curl, actions := pipelineBlocks(t)
	p := unreachable(t, startSlack(t))
	p.env["ROLLBACK_HTTP_ADDR"], p.env["ROLLBACK_HTTP_TOKEN"] = freeAddress(t), gateToken
	quarantine(t, p.env["ROLLBACK_DATABASE_URL"], image("api", "b"))
	bot := p.serve(t, nil)
	(&asking{address: p.env["ROLLBACK_HTTP_ADDR"]}).until(t, 200, `"ready": true`)

	remote := map[string]string{"ROLLBACK_URL": "http://" + p.env["ROLLBACK_HTTP_ADDR"], "ROLLBACK_HTTP_TOKEN": gateToken}
	wrong := map[string]string{"ROLLBACK_URL": remote["ROLLBACK_URL"], "ROLLBACK_HTTP_TOKEN": strings.ToUpper(gateToken)}
	nowhere := map[string]string{"ROLLBACK_URL": "http://" + freeAddress(t), "ROLLBACK_HTTP_TOKEN": gateToken}
	here := map[string]string{"ROLLBACK_DATABASE_URL": p.env["ROLLBACK_DATABASE_URL"], "ROLLBACK_APPS": "shop"}
	absent := map[string]string{"ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "journal.db"), "ROLLBACK_APPS": "shop"}
	for _, form := range []struct {
		name   string
		steps  []string
		shell  []string
		blocks int // its exit status for a quarantined image
		ways   map[string]map[string]string
		no     []map[string]string // environments in which it can't be judged
	}{
		{"the commands", []string{commands}, []string{"sh"}, 3, map[string]map[string]string{"here": here, "away": remote}, []map[string]string{wrong, nowhere, absent}},
		{"curl", []string{curl}, []string{"sh"}, 3, map[string]map[string]string{"away": remote}, []map[string]string{wrong, nowhere}},
		{"curl in bash", []string{curl}, []string{"bash", "-euo", "pipefail"}, 3, map[string]map[string]string{"away": remote}, []map[string]string{wrong, nowhere}},
		{"GitHub Actions", actions, []string{"bash", "--noprofile", "--norc", "-eo", "pipefail"}, 1, map[string]map[string]string{"away": remote}, []map[string]string{wrong, nowhere}},
	} {
		job := pipelineJob{program: p, steps: form.steps, shell: form.shell}
		for way, env := range form.ways {
			version := strings.ReplaceAll(form.name+"-"+way, " ", "-")
			if deployed, status, out := job.run(t, env, version, "a"); !deployed || status != 0 {
				t.Errorf("%s, %s: ends with status %d, deployed: %t\n%s", form.name, way, status, deployed, out)
			}
			if history := p.mustRun(t, "history", "shop"); !strings.Contains(history, version) {
				t.Errorf("%s, %s: the deployment was not noted:\n%s", form.name, way, history)
			}
			if deployed, status, out := job.run(t, env, "v2", "b"); deployed || status != form.blocks || !strings.Contains(out, "rb-first") {
				t.Errorf("%s, %s, quarantined: ends with status %d, deployed: %t\n%s", form.name, way, status, deployed, out)
			}
		}
		for _, env := range form.no {
			if deployed, status, out := job.run(t, env, "v1", "a"); deployed || status != 1 && status != 7 {
				t.Errorf("%s with %v: ends with status %d, deployed: %t\n%s", form.name, env, status, deployed, out)
			}
		}
	}
	bot.stop(t)
	if strings.Contains(bot.text(), gateToken) {
		t.Errorf("the log holds the token")
	}
}

// pipelineBlocks are the page's scripts: with the commands, with curl, and the steps of the GitHub Actions job.
func pipelineBlocks(t *testing.T) (commands, curl string, actions []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/pipelines.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	for i, part := range strings.Split(string(text), "\n```") {
		if language, block, found := strings.Cut(part, "\n"); i%2 == 1 && found {
			blocks[language] = append(blocks[language], block)
		}
	}
	if len(blocks["sh"]) != 2 || len(blocks["yaml"]) != 1 {
		t.Fatalf("docs/pipelines.md has %d blocks of sh and %d of yaml, want 2 and 1", len(blocks["sh"]), len(blocks["yaml"]))
	}
	var workflow struct {
		Jobs map[string]struct {
			Env   map[string]string
			Steps []struct{ Name, Shell, Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(blocks["yaml"][0]), &workflow); err != nil {
		t.Fatal(err)
	}
	job := workflow.Jobs["deploy"]
	for _, step := range job.Steps {
		// What GitHub puts into a script is what others can put into it.
		if step.Shell != "bash" || step.Run == "" || strings.Contains(step.Run, "${{") {
			t.Errorf("a step that is no plain bash: %+v", step)
		}
		actions = append(actions, step.Run)
	}
	for _, name := range []string{"ROLLBACK_URL", "ROLLBACK_HTTP_TOKEN", "API_IMAGE", "WORKER_IMAGE", "WEB_IMAGE", "VERSION", "COMMIT"} {
		if !strings.Contains(job.Env[name], "${{ ") {
			t.Errorf("the job has %s=%q", name, job.Env[name])
		}
	}
	return blocks["sh"][0], blocks["sh"][1], actions
}

// pipelineJob is a job of a pipeline, on a machine whose docker and ssh only say that they were called.
type pipelineJob struct {
	*program
	steps []string
	shell []string
}

// run runs the job's steps until one fails. The digit is the api's digest.
func (j pipelineJob) run(t *testing.T, env map[string]string, version, digit string) (deployed bool, status int, out string) {
	t.Helper()
	bin := t.TempDir()
	mark := filepath.Join(bin, "deployed")
	script := "#!/bin/sh\necho \"$0 $*\" >>" + mark + "\n"
	err := errors.Join(os.Symlink(j.binary, filepath.Join(bin, "rollbackbot")),
		os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o755), os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	variables := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + bin, "VERSION=" + version, "COMMIT=3f2c1d0", "MIGRATION=none",
		"API_IMAGE=" + image("api", digit).String(), "WORKER_IMAGE=" + image("worker", "c").String(), "WEB_IMAGE=" + image("web", "d").String()}
	for name, value := range env {
		variables = append(variables, name+"="+value)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var output bytes.Buffer
	for _, step := range j.steps {
		cmd := exec.CommandContext(ctx, j.shell[0], append(append([]string{}, j.shell[1:]...), "-c", step)...)
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = variables, bin, &output, &output
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if status = cmd.ProcessState.ExitCode(); status != 0 {
			break
		}
	}
	called, err := os.ReadFile(mark)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if strings.Contains(output.String(), gateToken) {
		t.Errorf("the job's output holds the token:\n%s", output.String())
	}
	return strings.Contains(string(called), "docker-compose.prod.yml up -d"), status, output.String()
}

func image(service, digit string) runbook.Image {
	return runbook.Image{Name: "ghcr.io/acme/shop/" + service, Digest: runbook.Digest("sha256:" + strings.Repeat(digit, 64))}
}

// quarantine blocks an image as a rollback of shop does.
func quarantine(t *testing.T, url string, images ...runbook.Image) {
	t.Helper()
	store, err := journal.Open(t.Context(), url, journal.Options{})
	if err == nil {
		_, err = store.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-first", At: time.Now(), Facts: []runbook.Fact{
			runbook.Requested{Request: runbook.Request{App: "shop", By: onCall, At: time.Now()}, Plan: runbook.Plan{App: "shop"}}, runbook.Quarantined{Images: images},
			runbook.Ended{Outcome: runbook.Succeeded}, runbook.Published{},
		}})
		err = errors.Join(err, store.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
