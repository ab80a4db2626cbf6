package compose

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"rollbackbot/runbook"
)

// Values of the planned variables are exported to compose, which they win over the pins file for. sudo drops them, as
// sudoers' env_reset has it by default, and so does doas. From Compose 2.17 on they are given as a last --env-file, too,
// which wins over those before it (docker/compose#10436); compose reads that one more than once (setEnvWithDotEnv in its
// cmd/compose/compose.go), so that it is no pipe.

// plainCommands are those that hand on what is exported. Of anything else, as of a script, nobody knows.
var plainCommands = []string{"docker", "docker-compose"}

// composeSeen is the version of compose that a host said last. The zero value has none.
type composeSeen struct {
	mu   sync.Mutex
	last string
}

func (c *composeSeen) remember(version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = version
}

func (c *composeSeen) recall() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// composeIs gives compose's version there, without a v before it; asked once, and by each preflight.
func (h *appHost) composeIs(ctx context.Context) (string, error) {
	if known := h.version.recall(); known != "" {
		return known, nil
	}
	r, err := h.ask(ctx, composeVersion(h.app))
	if err != nil {
		return "", err
	}
	if r.status != 0 {
		return "", h.dockerProblem("run compose", r)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(r.stdout)), "v")
	h.version.remember(version)
	return version, nil
}

// olderThan reports whether a version is before major.minor; of what is no version nobody can tell, and it is not.
func olderThan(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	return errA == nil && errB == nil && (a < major || a == major && b < minor)
}

// askExporting runs a command of compose to which variables are exported, so that they reach compose.
func (h *appHost) askExporting(ctx context.Context, cmd runbook.Command) (result, error) {
	if len(cmd.Env) == 0 || slices.Contains(plainCommands, path.Base(h.app.Compose[0])) {
		return h.ask(ctx, cmd)
	}
	version, err := h.composeIs(ctx)
	if err != nil {
		return result{}, err
	}
	if !olderThan(version, 2, 17) {
		return h.ask(ctx, exportByFile(h.app, cmd))
	}
	if err := h.checkExports(ctx, cmd.Env, version); err != nil {
		return result{}, err
	}
	return h.ask(ctx, cmd)
}

// exportByFile gives what a command exports to compose by a file, too, that has no name any more when compose reads it as
// its stdin. The user as whom compose runs may read it: images are no secret.
func exportByFile(a runbook.App, cmd runbook.Command) runbook.Command {
	const script = `values=$1 beside=$2
shift 2
[ -e "$beside" ] || beside=/dev/null
file=$(mktemp) && chmod 644 "$file" && printf "%s" "$values" >"$file" && exec <"$file" && rm "$file" || exit 1
for word; do
  shift
  [ "$word" != rollbackbot:beside ] || word=$beside
  set -- "$@" "$word"
done
exec "$@"`
	var values strings.Builder
	for _, pair := range cmd.Env {
		name, value, _ := strings.Cut(pair, "=")
		values.WriteString(name + "='" + value + "'\n")
	}
	given, asked := splitAtConfig(cmd.Args[len(a.Compose):])
	files := []string{"--env-file", "/dev/stdin"}
	if !slices.Contains(given, "--env-file") {
		// Where one is named, compose reads no other: the one beside the file has to be named, too, where it is there.
		files = append([]string{"--env-file", "rollbackbot:beside"}, files...)
	}
	words := []string{"sh", "-c", script, "rollbackbot", values.String(), path.Join(projectFolder(given), ".env")}
	cmd.Args = slices.Concat(words, a.Compose, given, files, asked)
	return cmd
}

// splitAtConfig parts the words for compose itself from those of its subcommand.
func splitAtConfig(words []string) (given, asked []string) {
	for i := range words {
		if words[i] == "config" && i+1 < len(words) && strings.HasPrefix(words[i+1], "--") {
			return words[:i], words[i:]
		}
	}
	return nil, words
}

// projectFolder is where compose looks for the .env of a project that is named by these words.
func projectFolder(given []string) string {
	if i := slices.Index(given, "--project-directory"); i >= 0 && i+1 < len(given) {
		return given[i+1]
	}
	if i := slices.Index(given, "-f"); i >= 0 && i+1 < len(given) {
		return path.Dir(given[i+1])
	}
	return "."
}

// checkExports makes sure that what is exported reaches a compose that takes one --env-file alone.
func (h *appHost) checkExports(ctx context.Context, env []string, version string) error {
	var names []string
	content := "name: rollbackbot\nservices:\n"
	for i, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
		content += "  s" + strconv.Itoa(i) + ": {image: \"${" + name + ":-rollbackbot.invalid/dropped}\"}\n"
	}
	cmd := runbook.Command{Args: slices.Concat(h.app.Compose, []string{"--env-file", "/dev/null", "-f", "-", "config", "--format", "json"}), Env: env, Dir: h.app.Dir}
	r, err := h.run(ctx, line{Command: cmd, stdin: []byte(content)})
	if err != nil {
		return err
	}
	if r.status != 0 {
		return h.dockerProblem("run compose", r)
	}
	if !strings.Contains(string(r.stdout), "rollbackbot.invalid/dropped") {
		return nil
	}
	user, _, _ := strings.Cut(string(h.host), "@")
	command := strings.Join(h.app.Compose, " ")
	if runner := path.Base(h.app.Compose[0]); runner == "doas" {
		return h.problem("Let it keep them, by this rule in /etc/doas.conf: permit nopass setenv { "+strings.Join(names, " ")+" } "+user+" cmd docker",
			"`%s` drops the variables that are exported, and Compose %s takes them in no other way", command, version)
	}
	return h.problem("Let sudo keep them, by this line in a file in /etc/sudoers.d: Defaults:"+user+" env_keep += \""+strings.Join(names, " ")+"\"",
		"`%s` drops the variables that are exported (sudo's env_reset), and Compose %s takes them in no other way", command, version)
}
