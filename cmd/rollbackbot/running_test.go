package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/parts"
)

// running is where what docs/running.md tells of is kept.
const running = "../../docs/running"

// outputOf runs a program, and gives what it says.
func outputOf(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestRunning_Alerts(t *testing.T) {
	t.Parallel()
	promtool := parts.Promtool(t)
	outputOf(t, running, promtool, "check", "rules", "alerts.yml")
	outputOf(t, running, promtool, "test", "rules", "alerts_test.yml")
}

// A rule about a number that the program never gives is silent for ever, and one that no test rings may be.
func TestRunning_AlertsAreOnWhatThereIs(t *testing.T) {
	t.Parallel()
	rules, tests, page := text(t, running+"/alerts.yml"), text(t, running+"/alerts_test.yml"), text(t, running+"/../running.md")
	metrics := text(t, "metrics.go") + text(t, "metrics_waiting.go")
	name := regexp.MustCompile(`\brollbackbot_[a-z_]+\b`)
	given := name.FindAllString(metrics, -1)
	for _, used := range name.FindAllString(rules, -1) {
		if !slices.Contains(given, used) {
			t.Errorf("the alert rules use %s, which /metrics does not give", used)
		}
	}
	for _, metric := range given {
		if !strings.Contains(page, "`"+metric) {
			t.Errorf("docs/running.md does not tell of %s", metric)
		}
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		rings := regexp.MustCompile(`alertname: ` + alert[1] + `\n\s+exp_alerts:`)
		if !rings.MatchString(tests) || !strings.Contains(tests, "alertname: "+alert[1]+", exp_alerts: []") {
			t.Errorf("no test lets %s ring, or none lets it be silent", alert[1])
		}
		if !strings.Contains(page, alert[1]) {
			t.Errorf("docs/running.md does not tell of %s", alert[1])
		}
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestRunning_Unit(t *testing.T) {
	t.Parallel()
	analyze := parts.SystemdAnalyze(t)
	const program = "/usr/local/bin/rollbackbot"
	unit := text(t, running+"/rollbackbot.service")
	if strings.Count(unit, "ExecStart="+program+" serve\n") != 1 {
		t.Fatalf("the unit does not start %s serve", program)
	}
	// The program has to be there for the unit to be in order.
	here := strings.ReplaceAll(unit, program, "/bin/true")
	folder := t.TempDir()
	file := filepath.Join(folder, "rollbackbot.service")
	if err := os.WriteFile(file, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := outputOf(t, folder, analyze, "verify", "--man=no", file); strings.Contains(out, file) {
		t.Errorf("the unit is not in order:\n%s", out)
	}
	// 20 is an exposure of 2.0 of 10: what it needs is the network.
	outputOf(t, folder, analyze, "security", "--offline=true", "--threshold=20", "--no-pager", file)
}

// composed is what the test reads of a compose file as compose understands it.
type composed struct {
	Services map[string]struct {
		Image       string
		User        string
		ReadOnly    bool              `json:"read_only"`
		CapDrop     []string          `json:"cap_drop"`
		Environment map[string]string `json:"environment"`
		Healthcheck struct{ Test []string }
		Volumes     []struct{ Type, Source, Target string }
		Ports       []struct {
			HostIP string `json:"host_ip"`
		}
	}
}

func TestRunning_Compose(t *testing.T) {
	t.Parallel()
	parts.Compose(t)
	folder := t.TempDir()
	for name, content := range map[string]string{
		"compose.yml": text(t, running+"/compose.yml"), "rollbackbot.env": "ROLLBACK_APPS=shop\nROLLBACK_DATABASE_URL=sqlite:elsewhere.db\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := func(variables ...string) ([]byte, error) {
		cmd := exec.Command("docker", "compose", "config", "--format", "json")
		cmd.Dir, cmd.Env = folder, append(os.Environ(), variables...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		return append(stdout.Bytes(), stderr.Bytes()...), err
	}
	if out, err := config("ROLLBACKBOT_IMAGE="); err == nil || !strings.Contains(string(out), "ROLLBACKBOT_IMAGE") {
		t.Errorf("without an image it says %v:\n%s", err, out)
	}
	image := "registry.example.com/rollbackbot@sha256:" + strings.Repeat("a", 64)
	out, err := config("ROLLBACKBOT_IMAGE="+image, "ROLLBACKBOT_PORT=9080")
	var file composed
	if err == nil {
		err = json.Unmarshal(out, &file)
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	bot := file.Services["rollbackbot"]
	dockerfile := text(t, "../../Dockerfile")
	if bot.Image != image || !strings.Contains(dockerfile, "\nUSER "+bot.User+"\n") || !bot.ReadOnly || !slices.Equal(bot.CapDrop, []string{"ALL"}) {
		t.Errorf("it runs as %+v", bot)
	}
	if len(bot.Volumes) != 2 || bot.Volumes[0].Type != "volume" || !strings.Contains(dockerfile, "\nVOLUME "+bot.Volumes[0].Target+"\n") {
		t.Errorf("its data is in %+v, and not in a volume at the image's own", bot.Volumes)
	}
	if got, want := bot.Environment["ROLLBACK_DATABASE_URL"], "sqlite:/data/rollbackbot.db"; got != want || bot.Environment["ROLLBACK_APPS"] != "shop" {
		t.Errorf("its environment is %v", bot.Environment)
	}
	if want := []string{"CMD", "/rollbackbot", "serve", "--healthy"}; !slices.Equal(bot.Healthcheck.Test, want) {
		t.Errorf("its health check is %v, want %v", bot.Healthcheck.Test, want)
	}
	if len(bot.Ports) != 1 || bot.Ports[0].HostIP != "127.0.0.1" {
		t.Errorf("it is reached at %+v, and not from this machine alone", bot.Ports)
	}
}
