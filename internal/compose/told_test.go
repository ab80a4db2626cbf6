package compose

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// The commands by which it is found out whether `up` changes more than the images, each by a part of its words.
const (
	ownRendering = "-f - --env-file /dev/null --profile * config --hash"
	blanksPlaced = "rollbackbot-blank-"
	environments = "json .Config.Env"
)

// made is a host whose api was made with another hash than `config --hash` prints, by this Compose.
func made(version string, by string, says ...answer) []answer {
	containers := answer{part: containers, stdout: `{"id":"c-api","name":"/shop-api-1","image_id":"i-api","ref":"` + running("api").String() + `","state":"running","service":"api","oneoff":"False","config_hash":"made","made_by":"` + by + `"}` + "\n" +
		`{"id":"c-worker","name":"/shop-worker-1","image_id":"i-worker","ref":"` + running("worker").String() + `","state":"running","service":"worker","oneoff":"False","config_hash":"31299b","made_by":"` + by + `"}` + "\n"}
	return append(says, answer{part: composeAsked, stdout: version + "\n"}, containers)
}

const (
	untoldOfAPI = "whether `up` changes more than the images can't be told of api "
	driftedAPI  = "`up` will change more of api than its image: its configuration is not the one that its containers were made with"
)

func TestPreflight_TellsDriftFromWhatOnlyLooksLikeIt(t *testing.T) {
	withNetwork := answer{part: config, stdout: stack(service("api", running("api").String(), forLong, `"network_mode": "service:vpn"`), service("worker", running("worker").String(), forLong))}
	for _, row := range []struct {
		name    string
		says    []answer
		drifted bool
		warning string // "": none
	}{
		{"env_file, which `config --hash` leaves out", made("2.26.1-4", "2.26.1", answer{part: ownRendering, stdout: "api made\nworker 31299b\n"}), false, ""},
		{"an edited file", made("2.26.1-4", "2.26.1", answer{part: ownRendering, stdout: "api now\nworker 31299b\n"}), true, driftedAPI},
		{"an edited file, where all of it is in the hash", made("5.6.0", "5.6.0", answer{part: ownRendering, status: 1}), true, driftedAPI},
		{"a rendering that compose can't read", made("2.26.1", "2.26.1", answer{part: ownRendering, status: 1}), false, untoldOfAPI + "(this Compose's `config --hash` is not what `up` goes by)"},
		{"containers of another Compose", made("5.6.0", "2.26.1", answer{part: ownRendering, stdout: "api now\n"}), false, untoldOfAPI + "(Compose 2.26.1 made its containers, and this is 5.6.0)"},
		{"another container's network", made("5.6.0", "5.6.0", placed(), withNetwork, answer{part: ownRendering, stdout: "api now\n"}), false, untoldOfAPI + "(it shares another container's network or the like)"},
	} {
		report, err := hostThat(t, row.says...).Preflight(t.Context(), false)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got := strings.Join(report.Warnings, "\n"); got != row.warning || report.Stack[0].Drifted != row.drifted || report.Stack[1].Drifted {
			t.Errorf("%s: drifted %t, warnings %q; want %t, %q", row.name, report.Stack[0].Drifted, got, row.drifted, row.warning)
		}
	}
}

// hashing is a host whose hash of api's own rendering is by whether it depends on db still.
type hashing struct{ recorded }

func (h hashing) Run(ctx context.Context, cmd runbook.Command, stdin []byte) (int, []byte, []byte, error) {
	if !strings.Contains(strings.Join(cmd.Args, " "), ownRendering) {
		return h.recorded.Run(ctx, cmd, stdin)
	}
	if strings.Contains(string(stdin), "db") {
		return 0, []byte("api whole\n"), nil, nil
	}
	return 0, []byte("api made\n"), nil, nil
}

// What `up --no-deps` of the planned services wrote, as a rollback's own, is no drift at the next plan.
func TestPreflight_KnowsWhatItsOwnUpLeaves(t *testing.T) {
	whole := answer{part: config, stdout: stack(
		service("api", running("api").String(), forLong, `"depends_on": {"db": {"condition": "service_started"}}`),
		service("worker", running("worker").String(), forLong), service("db", "postgres:15", forLong))}
	host := hostThat(t)
	host.shell = hashing{recorded{t, append(made("2.26.1", "2.26.1", placed(), whole), sound()...)}}
	report, err := host.Preflight(t.Context(), false)
	if err != nil || report.Stack[0].Drifted || len(report.Warnings) > 0 {
		t.Errorf("got %+v, %q, %v; want no drift", report.Stack, report.Warnings, err)
	}
}

func TestPreflight_Blanks(t *testing.T) {
	const word = "time=\"2026-12-01T00:48:22Z\" level=warning msg=\"The \\\"word\\\" variable is not set. Defaulting to a blank string.\"\n" +
		"time=\"2026-12-01T00:48:22Z\" level=warning msg=\"The \\\"SENTRY_DSN\\\" variable is not set. Defaulting to a blank string.\"\n"
	services := recordedApp().Services
	warned := answer{part: placedConfig, stdout: placed().stdout, stderr: word}
	rendered := func(of string) answer {
		return answer{part: blanksPlaced, stdout: stack(service("api", placeholder(services[0]), of), service("worker", placeholder(services[1])))}
	}
	inEnvironment := rendered(`"environment": {"PASSWORD": "s3c$$retrollbackbot-blank-word.", "DSN": "rollbackbot-blank-SENTRY_DSN."}`)
	edited := answer{part: ownRendering, stdout: "api now\n"}
	const fix = "Write %s into infra/.env or the login shell's profile"
	const refusal = "compose would start api with blanks that its containers were not made with, since these variables are not set in a login shell: "
	for _, row := range []struct {
		name, warning, what, fix string
		says                     []answer
	}{
		{name: "they were there when the containers were made", says: []answer{inEnvironment, warned},
			warning: "these run with blanks, and will again, since these variables are not set: api (word, SENTRY_DSN)"},
		{name: "another service has them", says: []answer{{part: blanksPlaced, stdout: placed().stdout}, warned}},
		{name: "something else was edited", says: made("5.6.0", "5.6.0", edited, inEnvironment, warned, answer{part: environments, stdout: `["PASSWORD=s3c$ret","DSN="]` + "\n"}),
			warning: driftedAPI + "\nthese run with blanks, and will again, since these variables are not set: api (word, SENTRY_DSN)"},
		{name: "one was set when the containers were made", says: made("5.6.0", "5.6.0", edited, inEnvironment, warned, answer{part: environments, stdout: `["PASSWORD=s3c$ret","DSN=https://hunter2@sentry"]` + "\n"}),
			what: refusal + "SENTRY_DSN", fix: "SENTRY_DSN"},
		{name: "they are no part of the environment", says: made("5.6.0", "5.6.0", edited, rendered(`"command": ["rollbackbot-blank-word."]`), warned), what: refusal + "word", fix: "word"},
		{name: "where they go can't be seen", says: made("5.6.0", "5.6.0", edited, answer{part: blanksPlaced, status: 1}, warned), what: refusal + "word, SENTRY_DSN", fix: "word, SENTRY_DSN"},
		{name: "whether they were there can't be told", says: made("5.6.0", "2.26.1", edited, inEnvironment, warned, answer{part: environments, stdout: `["PASSWORD=x"]` + "\n"}),
			warning: untoldOfAPI + "(Compose 2.26.1 made its containers, and this is 5.6.0)\nthese will run with blanks, since these variables are not set, and whether they do now can't be told: api (word, SENTRY_DSN)"},
		{name: "they are in an image", says: []answer{{part: blanksPlaced, stdout: stack(service("api", "rollbackbot-blank-word./api"))}, warned},
			what: "the image of api has a blank in it, since these variables are not set in a login shell: word", fix: "word"},
	} {
		t.Run(row.name, func(t *testing.T) {
			report, err := hostThat(t, row.says...).Preflight(t.Context(), false)
			if row.what != "" {
				wantProblem(t, err, row.what, strings.Replace(fix, "%s", row.fix, 1))
				return
			}
			if got := strings.Join(report.Warnings, "\n"); err != nil || got != row.warning {
				t.Errorf("got %q, %v, want %q", got, err, row.warning)
			}
		})
	}
}

// The warnings of all generations: those of 2.0 to 5.x, in a terminal, in a log, in a log of JSON, and Compose 1's.
func TestUnsetVariables(t *testing.T) {
	for _, line := range []string{
		`time="2026-12-01T03:53:33Z" level=warning msg="The \"SENTRY_DSN\" variable is not set. Defaulting to a blank string."`,
		`WARN[0000] The "SENTRY_DSN" variable is not set. Defaulting to a blank string.`,
		`{"level":"warning","msg":"The \"SENTRY_DSN\" variable is not set. Defaulting to a blank string.","time":"2026-12-01T03:53:33Z"}`,
		`WARNING: The SENTRY_DSN variable is not set. Defaulting to a blank string.`,
	} {
		if got := unsetVariables([]byte("other\n" + line + "\n" + line + "\n")); !slices.Equal(got, []string{"SENTRY_DSN"}) {
			t.Errorf("%s: %q", line, got)
		}
	}
	if got := unsetVariables([]byte("The \"a b=$(x)\" variable is not set.\nThe \"\" variable is not set.\n")); len(got) > 0 {
		t.Errorf("%q is taken for variables", got)
	}
}

// underSudo is a host whose docker is run by sudo.
func underSudo(t *testing.T, says ...answer) *appHost {
	host := hostThat(t, says...)
	host.app.Docker, host.app.Compose = []string{"sudo", "-n", "docker"}, []string{"sudo", "-n", "docker", "compose"}
	return host
}

func TestPreflight_WhatSudoSays(t *testing.T) {
	const rule = "Allow it there, by this line in a file in /etc/sudoers.d: deploy ALL=(root) NOPASSWD: /usr/bin/docker"
	for _, row := range []struct{ says, what, fix string }{
		{"sudo: a password is required\n", "sudo doesn't let the SSH user run `sudo -n docker`: sudo: a password is required", rule},
		{"sudo: Ein Passwort ist notwendig\n", "sudo doesn't let the SSH user run `sudo -n docker`: sudo: Ein Passwort ist notwendig", rule},
		{"sudo: sorry, you must have a tty to run sudo\n", "sudo doesn't let the SSH user run `sudo -n docker`: sudo: sorry, you must have a tty to run sudo",
			"Allow it there without a terminal, by this line in a file in /etc/sudoers.d: Defaults:deploy !requiretty"},
		{"sudo: docker: command not found\n", "sudo doesn't find `docker`: it looks in a PATH of its own (secure_path)",
			"Write the whole path in DOCKER_COMMAND and COMPOSE_COMMAND, as in `sudo -n /usr/local/bin/docker`"},
		{"sudo: unable to resolve host one\nCannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n",
			"the docker engine doesn't answer", "Start it there: `systemctl start docker`"},
	} {
		_, err := underSudo(t, lookedAround(), answer{part: "sudo", status: 1, stderr: row.says}).Preflight(t.Context(), false)
		wantProblem(t, err, row.what, row.fix)
	}
}

// An old Compose takes one --env-file, so that sudo has to keep what is exported.
func TestPreflight_SudoThatDropsVariables(t *testing.T) {
	old := answer{part: composeAsked, stdout: "v2.12.2\n"}
	probe := "--env-file /dev/null -f - config"
	_, err := underSudo(t, old, answer{part: probe, stdout: `{"services": {"s0": {"image": "rollbackbot.invalid/dropped"}}}`}).Preflight(t.Context(), false)
	wantProblem(t, err, "`sudo -n docker compose` drops the variables that are exported (sudo's env_reset), and Compose 2.12.2 takes them in no other way",
		`Let sudo keep them, by this line in a file in /etc/sudoers.d: Defaults:deploy env_keep += "API_IMAGE WORKER_IMAGE"`)
	if _, err = underSudo(t, old, answer{part: probe, stdout: `{"services": {"s0": {"image": "rollbackbot.invalid/api_image"}}}`}).Preflight(t.Context(), false); err != nil {
		t.Errorf("with what the remedy says: %v", err)
	}
}

// Run by a sudo that drops everything, a compose that reads its env files twice finds the values in the last of them.
func TestExportByFile_ReachesCompose(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sudo := file("sudo", "#!/bin/sh\nshift\nexec env -i PATH=/usr/bin:/bin \"$@\"\n")
	compose := file("docker", "#!/bin/sh\necho \"$API_IMAGE\" \"$@\"\ncat \"$3\" \"$5\" \"$5\"\n")
	app := runbook.App{Compose: []string{sudo, "-n", compose, "compose"}}
	cmd := exportByFile(app, runbook.Command{Env: []string{"API_IMAGE=x@sha256:1", "TAG=v1"}, Args: slices.Concat(app.Compose, []string{"-f", "infra/c.yml", "config", "--format", "json"})})
	cmd.Args = slices.DeleteFunc(cmd.Args, func(word string) bool { return word == "-f" || word == "infra/c.yml" }) // the stand-in counts its words
	for _, with := range []struct{ env, reads string }{{"", "/dev/null"}, {"OTHER=1\n", "infra/.env"}} {
		if with.env != "" {
			if err := os.Mkdir(filepath.Join(folder, "infra"), 0o755); err != nil {
				t.Fatal(err)
			}
			file("infra/.env", with.env)
		}
		run := exec.Command(cmd.Args[0], cmd.Args[1:]...)
		run.Dir, run.Env = folder, append(os.Environ(), cmd.Env...)
		run.Stdin = strings.NewReader("what nobody is to read")
		out, err := run.CombinedOutput()
		values := "API_IMAGE='x@sha256:1'\nTAG='v1'\n"
		want := " compose --env-file " + with.reads + " --env-file /dev/stdin config --format json\n" + with.env + values + values
		if err != nil || string(out) != want {
			t.Errorf("got %q, %v, want %q", out, err, want)
		}
	}
	// What is configured already stays, and goes before.
	cmd = exportByFile(app, runbook.Command{Args: slices.Concat(app.Compose, []string{"--env-file", "prod.env", "config", "--hash", "*"})})
	if want := []string{"compose", "--env-file", "prod.env", "--env-file", "/dev/stdin", "config", "--hash", "*"}; !slices.Equal(cmd.Args[len(cmd.Args)-len(want):], want) {
		t.Errorf("the words are %q", cmd.Args)
	}
}
