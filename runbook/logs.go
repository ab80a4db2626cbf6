package runbook

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// logLines and logBytes are how much of a container's log is kept: where it fell over is near its end, and the journal
	// has to hold it for ever.
	logLines = 50
	logBytes = 8192
	// logContainers is of how many containers of a service the logs are read: what one of them prints, its like print too.
	logContainers = 2
	// logsTimeout bounds the reading on one host. Nothing waits for it.
	logsTimeout = 20 * time.Second
)

// readLog prints a container's last lines, both of its outputs as they came, and a last line with the status where docker
// could not.
func readLog(a App, id string) Command {
	const script = `{ "$@" 2>&1 || printf "\n%s\n" "` + logFailed + `$?"; } | tail -c "$0"`
	words := []string{"sh", "-c", script, strconv.Itoa(logBytes)}
	words = append(words, a.docker("logs", "--tail", strconv.Itoa(logLines), id).Args...)
	return Command{Args: words, Dir: a.Dir, Timeout: logsTimeout}
}

// logFailed begins the line that tells of docker's failure.
const logFailed = "rollbackbot: docker logs ended with status "

// readLogs keeps what the containers of every host of the plan printed last, before they are replaced: while people decide,
// and beside everything else. A failure costs a line of the postmortem and nothing else.
func (o *owner) readLogs(ctx context.Context) {
	rb := o.snapshot()
	for _, h := range rb.Plan.Hosts {
		o.runner.running.Go(func() { o.readLogsOn(ctx, h) })
	}
}

func (o *owner) readLogsOn(ctx context.Context, h HostPlan) {
	limited, cancel := context.WithTimeout(ctx, logsTimeout)
	defer cancel()
	fact := LogsRead{Host: h.Host}
	var err error
	if fact.Services, err = logsOf(limited, o.runner.Hosts.Target(h.Host), o.app, h); err != nil {
		fact.Services, fact.Problem = nil, Truncate(Mask(err.Error()), 300)
	}
	if ctx.Err() != nil {
		return
	}
	_ = o.decide(ctx, "", "", func(now Rollback) ([]Fact, error) {
		switch {
		case now.State == StateEnded:
			return nil, nil
		case now.Hosts[h.Host].UpStarted: // whose lines these are, nobody can tell
			fact.Services, fact.Problem = nil, "the containers were being replaced before their logs were read"
		}
		return []Fact{fact}, nil
	})
}

// logsOf reads the logs of the planned services' containers on one host.
func logsOf(ctx context.Context, target Target, a App, h HostPlan) ([]ServiceLogs, error) {
	all, _, err := containersOf(ctx, target, h.Host, a, h.Project, nil)
	if err != nil {
		return nil, err
	}
	var services []ServiceLogs
	for _, s := range h.Services {
		logs := ServiceLogs{Service: s.Service}
		n := 0
		for _, c := range all {
			if c.Service != s.Service || strings.EqualFold(c.OneOff, "true") || n == logContainers {
				continue
			}
			n++
			lines, problem := logOf(ctx, target, a, c.ID)
			if n > 1 && lines != "" {
				lines = "\n--- another container ---\n" + lines
			}
			logs.Lines, logs.Problem = logs.Lines+lines, orElse(logs.Problem, problem)
		}
		if n == 0 {
			logs.Problem = "it had no container"
		}
		services = append(services, logs)
	}
	return services, nil
}

func logOf(ctx context.Context, target Target, a App, id string) (lines, problem string) {
	result, err := target.Run(ctx, readLog(a, id))
	switch {
	case err != nil:
		return "", "its logs could not be read: " + Truncate(Mask(err.Error()), 200)
	case result.Status != 0:
		return "", fmt.Sprintf("its logs could not be read: status %d", result.Status)
	}
	text, status, failed := strings.Cut(string(result.Stdout), "\n"+logFailed)
	if failed {
		return "", "its logs could not be read: status " + strings.TrimSpace(status) + ", " + Truncate(lastLines([]byte(text), 1), 200)
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
	return lastLines([]byte(bareBase64.ReplaceAllString(text, masked)), logLines)
}
