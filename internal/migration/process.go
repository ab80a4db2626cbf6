package migration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"rollbackbot/runbook"
)

// Process judges in a child process, one at a time: the parsers' memory goes with it. A child that dies, hangs or gives
// rubbish judged nothing: every file of that call could not be judged.
type Process struct {
	// Command is the program that runs RunChild, with its arguments; none is this program itself.
	Command []string
	// Timeout is for one call, waiting for its turn included; 0 is a minute. The parsers start in 2 s on an idle core.
	Timeout time.Duration

	turn chan struct{}
}

var _ runbook.MigrationJudge = (*Process)(nil)

// NewProcess gives a judge that starts this program again. The program's main must ask IsChild first.
func NewProcess() *Process {
	return &Process{turn: make(chan struct{}, 1)}
}

// Judge implements runbook.MigrationJudge. It may be called by several goroutines.
func (p *Process) Judge(ctx context.Context, files []runbook.MigrationFile) []runbook.Judgement {
	judged := make([][]runbook.Judgement, len(files))
	var sent []runbook.MigrationFile
	var places []int
	total := 0
	for i, f := range files {
		_, why := readable(f)
		if why == "" && (len(sent) >= maxFiles || total+len(f.Content) > maxTotal) {
			why = "it is one of more files than this judge reads"
		}
		if why != "" {
			judged[i] = []runbook.Judgement{whole(f.Name, why)}
			continue
		}
		total += len(f.Content)
		sent, places = append(sent, f), append(places, i)
	}
	if len(sent) > 0 {
		answered, err := p.ask(ctx, sent)
		for k, i := range places {
			if err != nil {
				judged[i] = []runbook.Judgement{whole(files[i].Name, err.Error())}
			} else {
				judged[i] = answered.Files[k].Judgements
			}
		}
	}
	var judgements []runbook.Judgement
	for _, j := range judged {
		judgements = append(judgements, j...)
	}
	return judgements
}

// The child's failures, as people read them.
var (
	errHung    = errors.New("the judge did not answer in time")
	errRubbish = errors.New("the judge's answer could not be read")
)

// ask runs a child for files.
func (p *Process) ask(ctx context.Context, files []runbook.MigrationFile) (answer, error) {
	timeout := p.Timeout
	if timeout == 0 {
		timeout = time.Minute
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return answer{}, errHung
	}
	written, err := json.Marshal(question{files})
	if err != nil {
		return answer{}, fmt.Errorf("the judge could not be asked: %w", err)
	}
	cmd := p.command(ctx)
	cmd.Stdin = bytes.NewReader(written)
	output := &limited{max: maxMessage}
	cmd.Stdout = output
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return answer{}, errHung
	case output.full:
		return answer{}, errRubbish
	case err != nil:
		return answer{}, fmt.Errorf("the judge broke down: %w", err)
	}
	return understand(output.kept.Bytes(), files)
}

// command is the child, killed with its context, with nothing of the bot's environment: the files are other people's.
func (p *Process) command(ctx context.Context) *exec.Cmd {
	line := p.Command
	if len(line) == 0 {
		line = []string{self(), childArgument}
	}
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = []string{"ROLLBACKBOT_CHILD=1", "GORACE=atexit_sleep_ms=0"}
	cmd.WaitDelay = time.Second // for output that a grandchild holds open
	return cmd
}

// self is this very program, also when its file has been replaced since.
func self() string {
	const running = "/proc/self/exe"
	if _, err := os.Stat(running); err == nil {
		return running
	}
	if path, err := os.Executable(); err == nil {
		return path
	}
	return os.Args[0]
}

// understand takes an answer only when it is whole, for exactly what was asked.
func understand(written []byte, files []runbook.MigrationFile) (answer, error) {
	var a answer
	decoder := json.NewDecoder(bytes.NewReader(written))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil || decoder.More() || len(a.Files) != len(files) {
		return answer{}, errRubbish
	}
	for i, f := range a.Files {
		if f.Name != files[i].Name {
			return answer{}, errRubbish
		}
		for k, j := range f.Judgements {
			if j.File != f.Name || j.Line < 0 || !j.Verdict.Known() || j.Why == "" || len(j.Statement)+len(j.Why) > 1<<12 {
				return answer{}, errRubbish
			}
			f.Judgements[k].Statement, f.Judgements[k].Why = runbook.Mask(j.Statement), runbook.Mask(j.Why)
		}
	}
	return a, nil
}

// limited keeps so many bytes and refuses the rest, which ends the child. The buffer is not embedded: its ReadFrom would
// take everything.
type limited struct {
	kept bytes.Buffer
	max  int
	full bool
}

func (l *limited) Write(p []byte) (int, error) {
	if l.kept.Len()+len(p) > l.max {
		l.full = true
		return 0, errRubbish
	}
	return l.kept.Write(p)
}
