package compose

import (
	"path"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// runners run docker as somebody else.
var runners = []string{"sudo", "doas"}

// runnerProblem says why sudo or doas didn't run the command; nil where that is not what is wrong. What they say begins
// with their name, in every language, and where all that was printed does, docker has said nothing.
func (h *appHost) runnerProblem(r result) error {
	words := slices.Concat(h.app.Docker, h.app.Compose)
	for _, runner := range runners {
		i := slices.IndexFunc(words, func(word string) bool { return path.Base(word) == runner })
		lines := linesOf(r.stderr)
		if i < 0 || len(lines) == 0 || len(strings.TrimSpace(string(r.stdout))) > 0 ||
			slices.ContainsFunc(lines, func(line string) bool { return !strings.HasPrefix(line, runner+": ") }) {
			continue
		}
		program, _, _ := strings.Cut(strings.TrimPrefix(lines[0], runner+": "), ":")
		if slices.Contains(words, program) && program != runner {
			return h.problem("Write the whole path in DOCKER_COMMAND and COMPOSE_COMMAND, as in `sudo -n /usr/local/bin/docker`",
				"%s doesn't find `%s`: it looks in a PATH of its own (secure_path)", runner, program)
		}
		return h.problem(h.runnerRule(runner, strings.ToLower(string(r.stderr))),
			"%s doesn't let the SSH user run `%s`: %s", runner, strings.Join(h.app.Docker, " "), runbook.LastLines(r.stderr, 1))
	}
	return nil
}

// runnerRule is what root writes there so that the SSH user may use docker.
func (h *appHost) runnerRule(runner, said string) string {
	user, _, _ := strings.Cut(string(h.host), "@")
	as := "root"
	if i := slices.Index(h.app.Docker, "-u"); i >= 0 && i+1 < len(h.app.Docker) {
		as = h.app.Docker[i+1]
	}
	switch {
	case runner == "doas":
		return "Allow it there, by this rule in /etc/doas.conf: permit nopass " + user + " as " + as + " cmd docker"
	case strings.Contains(said, "tty"):
		return "Allow it there without a terminal, by this line in a file in /etc/sudoers.d: Defaults:" + user + " !requiretty"
	}
	return "Allow it there, by this line in a file in /etc/sudoers.d: " + user + " ALL=(" + as + ") NOPASSWD: /usr/bin/docker"
}

// linesOf are the lines that aren't blank.
func linesOf(output []byte) (lines []string) {
	for line := range strings.Lines(string(output)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
