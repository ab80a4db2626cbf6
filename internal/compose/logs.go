package compose

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"rollbackbot/runbook"
)

const (
	// logLines and logBytes are how much of a container's log is kept: where it fell over is near its end, and the journal
	// has to hold it for ever.
	logLines = 50
	logBytes = 8192
	// logContainers is of how many containers of a service the logs are read: what one of them prints, its like print too.
	logContainers = 2
)

// readLog prints a container's last lines, both of its outputs as they came, and a last line with the status where docker
// could not.
func readLog(a runbook.App, id string) runbook.Command {
	const script = `{ "$@" 2>&1 || printf "\n%s\n" "` + logFailed + `$?"; } | tail -c "$0"`
	words := []string{"sh", "-c", script, strconv.Itoa(logBytes)}
	words = append(words, docker(a, "logs", "--tail", strconv.Itoa(logLines), id).Args...)
	return runbook.Command{Args: words, Dir: a.Dir}
}

// logFailed begins the line that tells of docker's failure.
const logFailed = "rollbackbot: docker logs ended with status "

// Logs reads the logs of the planned services' containers.
func (h *appHost) Logs(ctx context.Context, project string) ([]runbook.ServiceLogs, error) {
	all, _, _, err := h.see(ctx, project, nil, "")
	if err != nil {
		return nil, err
	}
	var services []runbook.ServiceLogs
	for _, s := range h.app.Services {
		logs := runbook.ServiceLogs{Service: s.Name}
		n := 0
		for _, c := range all {
			if c.Service != s.Name || c.oneOff() || n == logContainers {
				continue
			}
			n++
			lines, problem := h.log(ctx, c.ID)
			if n > 1 && lines != "" {
				lines = "\n--- another container ---\n" + lines
			}
			logs.Lines, logs.Problem = logs.Lines+lines, cmp.Or(logs.Problem, problem)
		}
		if n == 0 {
			logs.Problem = "it had no container"
		}
		services = append(services, logs)
	}
	return services, nil
}

func (h *appHost) log(ctx context.Context, id string) (lines, problem string) {
	r, err := h.ask(ctx, readLog(h.app, id))
	switch {
	case err != nil:
		return "", "its logs could not be read: " + runbook.Truncate(runbook.Mask(err.Error()), 200)
	case r.status != 0:
		return "", fmt.Sprintf("its logs could not be read: status %d", r.status)
	}
	text, status, failed := strings.Cut(string(r.stdout), "\n"+logFailed)
	if failed {
		return "", "its logs could not be read: status " + strings.TrimSpace(status) + ", " + runbook.Truncate(runbook.LastLines([]byte(text), 1), 200)
	}
	if len(text) >= logBytes { // the first line is cut, and half of a secret looks like none
		_, text, _ = strings.Cut(text, "\n")
	}
	return cleanLog(text), ""
}

var (
	// terminal are the sequences by which programs colour what they print.
	terminal = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")
	// bareBase64 is a line of nothing but base64, as the middle of a key whose first line was cut off.
	bareBase64 = regexp.MustCompile(`(?m)^\s*[A-Za-z0-9+/]{40,}={0,2}\s*$`)
)

// cleanLog is a log as it may be kept: masked, valid, and without what only terminals understand.
func cleanLog(text string) string {
	text = terminal.ReplaceAllString(strings.ToValidUTF8(text, "?"), "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
	return runbook.LastLines([]byte(bareBase64.ReplaceAllString(text, runbook.Masked)), logLines)
}
