package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rollbackbot/internal/demohost"
	"rollbackbot/internal/parts"
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

// insideHome is the app's folder as a path that means another folder on each host, since each is the home of another
// user: the hosts share one machine here, and an app has one folder for all of its hosts.
const insideHome = "/proc/self/cwd/app"

// furnish makes the hosts, the database and the configuration.
func (h *hour) furnish() {
	h.tb.Helper()
	workspace := h.slack.Workspace()
	h.env = map[string]string{
		"SLACK_BOT_TOKEN": workspace.BotToken, "SLACK_APP_TOKEN": workspace.AppToken, "SLACK_API_URL": h.slack.APIURL(),
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall,
		"ROLLBACK_DATABASE_URL": h.openDatabase(), "ROLLBACK_OBSERVE_INTERVAL": "3s", "ROLLBACK_SIGNOFF_TIMEOUT": "45s",
	}
	tools := h.watchedTools()
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
			"HOSTS": strings.Join(addresses, ","), "DIR": insideHome, "HEALTH_URL": strings.Join(urls, ","), "HEALTH_ATTEMPTS": "15",
			"HEALTH_INTERVAL": "1s", "ERROR_RATE_WINDOW": "1s", "VERIFY_AFTER": "1s",
			"DOCKER_COMMAND": filepath.Join(tools, "docker"), "COMPOSE_COMMAND": filepath.Join(tools, "compose"),
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

func (h *hour) startHost(keys string) *demohost.Host {
	h.tb.Helper()
	host, err := demohost.Start(context.Background(), demohost.Options{Start: 50 * time.Millisecond, Pull: 200 * time.Millisecond, Program: h.binary, Keys: keys})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(func() {
		if err := host.Close(); err != nil {
			h.tb.Errorf("close a host: %v", err)
		}
	})
	for link, to := range map[string]string{filepath.Join(host.Home(), "app"): host.Dir, filepath.Join(host.Dir, "app"): "."} {
		if err := os.Symlink(to, link); err != nil {
			h.tb.Fatal(err)
		}
	}
	return host
}

func (h *hour) hosts() (all []*demohost.Host) {
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
	for _, r := range demohost.Releases() {
		args := []string{"deployed", c.app, "--version", r.Version, "--migration", map[bool]string{true: "none", false: migration}[r.Version == demohost.V1]}
		for service, image := range r.Images {
			args = append(args, "--image", service+"="+image.String())
		}
		c.program().mustRun(c.tb, args...)
	}
}

// watchedTools are the docker and the compose that the bot calls. Both fail where a file in the home says so; compose
// notes when each `up` begins and ends, and for which job of the bot: its output goes into that job's folder.
func (h *hour) watchedTools() (folder string) {
	h.tb.Helper()
	folder = h.tb.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		h.tb.Fatal(err)
	}
	fails := func(what string) string {
		return fmt.Sprintf(`if [ -e "$HOME/fail-%[1]s" ]; then rm -f "$HOME/fail-%[1]s"; echo "%[1]s fails once, as it was told to" >&2; exit 1; fi`, what)
	}
	for name, content := range map[string]string{
		"docker": "case \"$1\" in pull) " + fails("pull") + " ;; esac\nexec docker \"$@\"\n",
		"compose": `case " $* " in *" up "*) ;; *) exec docker compose "$@" ;; esac
echo "begin $(readlink /proc/$$/fd/1)" >>"$HOME/up.log"
if [ -e "$HOME/slow-up" ]; then rm -f "$HOME/slow-up"; sleep 4; fi
if [ -e "$HOME/fail-up" ]; then
  rm -f "$HOME/fail-up"
  # The first of the services comes up, the others stay as they are.
  docker compose "$1" "$2" up -d --no-deps --pull never api
  echo "up fails once, as it was told to" >&2
  status=1
else
  docker compose "$@"
  status=$?
fi
echo "end $(readlink /proc/$$/fd/1)" >>"$HOME/up.log"
exit $status
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+content), 0o755); err != nil {
			h.tb.Fatal(err)
		}
	}
	return folder
}
