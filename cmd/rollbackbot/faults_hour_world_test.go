package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/practice"
)

// build builds what runs in the hour: the product with a signal that has it tell what it holds.
func (h *hour) build() {
	h.tb.Helper()
	folder := h.tb.TempDir()
	h.binary = filepath.Join(folder, "rollbackbot")
	h.goBuild("0", "-o", h.binary)
	if h.race {
		h.racing = filepath.Join(folder, "rollbackbot-race")
		h.goBuild("1", "-race", "-o", h.racing)
	}
}

func (h *hour) goBuild(cgo string, flags ...string) {
	h.tb.Helper()
	cmd := exec.Command("go", append(append([]string{"build", "-tags", "faults"}, flags...), "rollbackbot/cmd/rollbackbot")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.tb.Fatalf("go build: %v\n%s", err, out)
	}
}

// hourApps are the apps and how many hosts each has.
var hourApps = []struct {
	name  string
	hosts int
}{{"shop", 1}, {"blog", 2}, {"mail", 1}, {"wiki", 1}, {"chat", 1}}

// furnish makes the hosts, the database and the configuration.
func (h *hour) furnish() {
	h.tb.Helper()
	workspace := h.slack.Workspace()
	h.env = map[string]string{
		"SLACK_BOT_TOKEN": workspace.BotToken, "SLACK_APP_TOKEN": workspace.AppToken, "SLACK_API_URL": h.slack.APIURL(),
		"ROLLBACKBOT_DEMO_BOT": "1", // its hosts are stand-ins
		"ROLLBACK_CHANNEL":     channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall,
		"ROLLBACK_DATABASE_URL": h.openDatabase(), "ROLLBACK_OBSERVE_INTERVAL": "3s", "ROLLBACK_SIGNOFF_TIMEOUT": "45s",
	}
	keys := h.tb.TempDir()
	var names []string
	for i, a := range hourApps {
		names = append(names, a.name)
		c := &crew{hour: h, app: a.name, random: h.random(uint64(100 + i)), judged: map[string]bool{}, moods: map[string]*mood{}}
		var addresses, urls []string
		for range a.hosts {
			host := h.startHost(keys)
			c.hosts = append(c.hosts, host)
			addresses, urls = append(addresses, string(host.Host)), append(urls, host.HealthURL)
		}
		for name, value := range map[string]string{
			"HOSTS": strings.Join(addresses, ","), "DIR": c.hosts[0].App().Dir, "HEALTH_URL": strings.Join(urls, ","), "HEALTH_ATTEMPTS": "15",
			"HEALTH_INTERVAL": "1s", "ERROR_RATE_WINDOW": "1s", "VERIFY_AFTER": "1s",
		} {
			h.env[appVariable(a.name, name)] = value
		}
		h.env["ROLLBACK_SSH_KEY"], h.env["ROLLBACK_SSH_KNOWN_HOSTS"] = c.hosts[0].KeyFile, c.hosts[0].KnownHosts
		h.crews = append(h.crews, c)
	}
	h.env["ROLLBACK_APPS"] = strings.Join(names, ",")
	for i, c := range h.crews {
		// The releases of the second app bring no migration, so that who asks confirms by themselves.
		c.noteReleases(map[bool]string{true: "none", false: "yes"}[i == 1])
	}
}

func (h *hour) startHost(keys string) *practice.Host {
	h.tb.Helper()
	host, err := practice.Start(context.Background(), practice.Options{Start: 50 * time.Millisecond, Pull: 200 * time.Millisecond, Keys: keys})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(func() {
		if err := host.Close(); err != nil {
			h.tb.Errorf("close a host: %v", err)
		}
	})
	return host
}

func (h *hour) hosts() (all []*practice.Host) {
	for _, c := range h.crews {
		all = append(all, c.hosts...)
	}
	return all
}

func (h *hour) openDatabase() (databaseURL string) {
	h.tb.Helper()
	switch h.store {
	case "postgresql":
		h.database = parts.StartPostgreSQL(h.tb)
		return h.database.Database(h.tb)
	case "sqlite":
		if h.hourOptions.replicas > 1 {
			h.tb.Fatal("SQLite takes one replica")
		}
		h.file = filepath.Join(h.folder, "journal.db")
		return "sqlite:" + h.file
	}
	h.tb.Fatalf("%s is neither postgresql nor sqlite", hourStoreVariable)
	return ""
}

// program is the product for commands.
func (h *hour) program() *program { return &program{binary: h.binary, env: h.env} }

// noteReleases notes both releases as CI would.
func (c *crew) noteReleases(migration string) {
	c.tb.Helper()
	for _, r := range practice.Releases() {
		args := []string{"deployed", c.app, "--version", r.Version, "--migration", map[bool]string{true: "none", false: migration}[r.Version == practice.V1]}
		for service, image := range r.Images {
			args = append(args, "--image", service+"="+image.String())
		}
		c.program().mustRun(c.tb, args...)
	}
}
