package compose_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

// newApp is the app of a bench. Nothing else on this machine has its name.
func newApp(folder string, host runbook.Host) runbook.App {
	app := runbook.App{
		Name: "bench-" + strings.ToLower(rand.Text()[:8]), Hosts: []runbook.Host{host}, Dir: folder, ComposeFiles: []string{composeFile},
		Docker: []string{filepath.Join(folder, "docker")}, Compose: []string{filepath.Join(folder, "docker"), "compose"},
	}
	for _, service := range realhost.Services() {
		app.Services = append(app.Services, runbook.Service{Name: service, Variable: variable(service)})
	}
	return app
}

func variable(service string) string { return strings.ToUpper(service) + "_IMAGE" }

const composeFile = "infra/docker-compose.prod.yml" // in the app's folder; the pins file is beside it

// composeText has services that are none of the app's, and that nobody starts at first.
const composeText = `name: @project@

services:
  api:
    image: ${API_IMAGE}
    restart: unless-stopped

  worker:
    image: ${WORKER_IMAGE}
    restart: unless-stopped

  web:
    image: ${WEB_IMAGE:?}
    restart: unless-stopped

  stray:
    image: @stray@
    restart: unless-stopped

  sidecar:
    image: @stray@
    network_mode: service:api
    profiles: [beside]

  proxy:
    image: @stray@
    depends_on: {api: {condition: service_started, restart: true}}
    profiles: [beside]
`

// pinsText is a pins file as they grow over the years: whoever writes pins has to leave all other bytes.
const pinsText = "# Settings of production. Not in git!\n" +
	"\n" +
	"SECRET_KEY=" + realhost.SecretValue + "\n" +
	"export TZ=UTC\n" +
	"  INDENTED = yes\n" +
	"CERTIFICATE=\"-----BEGIN-----\n" +
	"API_IMAGE is no pin here\n" +
	"-----END-----\"\n" +
	"WINDOWS=1\r\n" +
	"#API_IMAGE=registry.example/shop/api:latest\n" +
	"API_IMAGE=\n" +
	"WORKER_IMAGE=\n" +
	"WEB_IMAGE=\n" +
	"\n" +
	"LAST=without a line end"

// dockerScript is the docker command of the app's configuration. Without the engine it is the real one that doesn't find
// its socket; where the registry is silent, one that asks another address, which the file has.
const dockerScript = `#!/bin/sh
here=${0%/*}
[ ! -e "$here/no-engine" ] || export DOCKER_HOST="unix://$here/no.sock"
if [ -e "$here/silent" ]; then
  silent=$(cat "$here/silent")
  left=$#
  while [ "$left" -gt 0 ]; do
    case $1 in
    @registry@/*) set -- "$@" "$silent/${1#*/}" ;;
    *) set -- "$@" "$1" ;;
    esac
    shift
    left=$((left - 1))
  done
fi
exec docker "$@"
`

// jobScript is what the jobs run: COUNT OUTPUT SECONDS STATUS. Where there is a program beside it that makes one root,
// that waits as root, and holds no lock: as what sudo runs.
const jobScript = `#!/bin/sh
echo >>"$1"
cat "$2"
root=${0%/*}/asroot
if [ -e "$root" ]; then
  "$root" --reuid 0 --clear-groups sleep "$3" 9>&-
else
  sleep "$3"
fi
exit "$4"
`

func (b *bench) composeFile() string { return filepath.Join(b.folder, composeFile) }
func (b *bench) pinsFile() string    { return filepath.Join(b.folder, "infra", ".env") }
func (b *bench) jobScript() string   { return filepath.Join(b.folder, "job") }

// writeFiles makes the app's folder. The SSH user owns what is the app's.
func (b *bench) writeFiles() error {
	composeContent := strings.NewReplacer("@project@", b.app.Name, "@stray@", b.Release(hosttest.Former).Images["worker"].String()).Replace(composeText)
	return errors.Join(
		os.Mkdir(filepath.Dir(b.composeFile()), 0o755),
		os.Mkdir(b.count(""), 0o777),
		os.WriteFile(b.composeFile(), []byte(composeContent), 0o644),
		os.WriteFile(b.pinsFile(), []byte(pinsText), 0o600),
		writeScript(b.app.Docker[0], strings.ReplaceAll(dockerScript, "@registry@", b.shop.registry.Addr())),
		writeScript(b.jobScript(), jobScript),
		b.lane.give(b.folder, b.count(""), filepath.Dir(b.composeFile()), b.composeFile(), b.pinsFile()),
	)
}

// writeScript writes a file that is started. A process that another test starts meanwhile would have it open for writing
// for a moment, and it could not be.
func writeScript(file, content string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(file, []byte(content), 0o755)
}

func ownerAndMode(file string) (string, error) {
	about, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	owner := about.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d %s", owner.Uid, owner.Gid, about.Mode()), nil
}

// types is what somebody types in a login shell of the account, in the app's folder.
func (b *bench) types(ctx context.Context, line string) error {
	_, err := run(ctx, "runuser", "--login", b.lane.account.Username, "--command", "cd "+b.folder+" && "+line)
	return err
}

// compose is what somebody types, after variables for this one command.
func (b *bench) compose(ctx context.Context, line string, variables ...string) error {
	words := append(variables, "docker compose -f "+composeFile, line)
	return b.types(ctx, strings.Join(words, " "))
}

// run runs a command on this machine, and gives what it printed without the last line end.
func run(ctx context.Context, command string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, command, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", command, strings.Join(args, " "), err, text)
	}
	return text, nil
}

const (
	projectLabel = "com.docker.compose.project"
	serviceLabel = "com.docker.compose.service"
)

// containers are the IDs of a service's.
func (b *bench) containers(ctx context.Context, service string) ([]string, error) {
	ids, err := run(ctx, "docker", "ps", "--quiet", "--filter", "label="+projectLabel+"="+b.app.Name, "--filter", "label="+serviceLabel+"="+service)
	if err == nil && ids == "" {
		err = fmt.Errorf("%s has no container", service)
	}
	return strings.Fields(ids), err
}

// removeTimeout bounds the removal of an app: a busy engine counts containers to a network for a moment after their end.
const removeTimeout = time.Minute

// down removes containers and network, whatever became of the files.
func (b *bench) down() {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	label := "label=" + projectLabel + "=" + b.app.Name
	err := errors.New("not tried")
	for err != nil && ctx.Err() == nil {
		err = errors.Join(
			removeAll(ctx, []string{"ps", "--all", "--quiet", "--filter", label}, "rm", "--force", "--volumes"),
			removeAll(ctx, []string{"network", "ls", "--quiet", "--filter", label}, "network", "rm"),
		)
	}
	if err != nil && !b.leaked() {
		b.tb.Errorf("remove %s: %v", b.app.Name, err)
	}
}

// leaked reports whether no container is left: a network that Docker keeps all the same is its own affair (20.10 sometimes
// counts a container's end of it for ever, where that was killed as it came up).
func (b *bench) leaked() bool {
	left, err := run(context.Background(), "docker", "ps", "--all", "--quiet", "--filter", "label="+projectLabel+"="+b.app.Name)
	return err == nil && left == ""
}

// removeAll removes what a docker command lists.
func removeAll(ctx context.Context, list []string, remove ...string) error {
	ids, err := run(ctx, "docker", list...)
	if err != nil || ids == "" {
		return err
	}
	_, err = run(ctx, "docker", append(remove, strings.Fields(ids)...)...)
	return err
}
