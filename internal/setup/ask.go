package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// question is one thing that a person has to say.
type question struct {
	flag   string
	text   string // without a question's end
	preset string // an empty answer stands for it; "" where there is none
	sure   bool   // without a terminal the preset is taken
	// check gives the value that an answer stands for, or says why it stands for none.
	check func(ctx context.Context, answer string) (string, error)
}

// MissingError names the flags of the questions that there was nobody to ask.
type MissingError struct{ Flags []string }

func (e *MissingError) Error() string {
	names := make([]string, len(e.Flags))
	for i, flag := range e.Flags {
		names[i] = "--" + flag
	}
	return "there is no terminal to ask in: give " + strings.Join(names, " and ")
}

// AnswerError is a flag with a value that can't be taken.
type AnswerError struct {
	Flag string
	Err  error // why, and what to do
}

func (e *AnswerError) Error() string { return fmt.Sprintf("--%s: %v", e.Flag, e.Err) }

// Unwrap gives the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

// ask gives the answer's value. Where nobody can be asked it notes the flag, and the value is "".
func (i *Interview) ask(ctx context.Context, q question) (string, error) {
	if answer, given := i.Answers[q.flag]; given {
		value, err := q.check(ctx, answer)
		if err != nil {
			return "", &AnswerError{Flag: q.flag, Err: err}
		}
		return value, nil
	}
	if !i.Terminal {
		if q.preset != "" && q.sure {
			return q.check(ctx, q.preset)
		}
		i.missing = append(i.missing, q.flag)
		return "", nil
	}
	for {
		prompt := q.text
		if q.preset != "" {
			prompt += " [" + q.preset + "]"
		}
		fmt.Fprint(i.Out, printable(prompt)+": ")
		answer, err := i.read(ctx)
		if err != nil {
			return "", err
		}
		if answer == "" {
			answer = q.preset
		}
		value, err := q.check(ctx, answer)
		if err == nil {
			return value, nil
		}
		i.say("%s.", upperFirst(err.Error()))
	}
}

// read is the next line that somebody types. A terminal that waits can't be told to stop: where ctx ends it is left behind.
func (i *Interview) read(ctx context.Context) (string, error) {
	type typed struct {
		line string
		err  error
	}
	came := make(chan typed, 1)
	go func() {
		line, err := i.lines.ReadString('\n')
		came <- typed{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case t := <-came:
		if errors.Is(t.err, io.EOF) && t.line != "" {
			t.err = nil
		}
		if errors.Is(t.err, io.EOF) {
			return "", errors.New("no answer came, and nothing more can: run it again, in a terminal or with flags")
		}
		return strings.TrimSpace(t.line), t.err
	}
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
