package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/terminal"
	"rollbackbot/runbook"
	"rollbackbot/runbook/runner"
)

func signoffCommand() *cobra.Command {
	var as, answer, reason, file, key string
	cmd := &cobra.Command{
		Use:   "signoff ID --as U… --answer ANSWER [--reason WORDS] [--signature FILE | --sign-with KEY]",
		Short: "Answer a rollback's question from a terminal, with a signature",
		Long: "Shows the plan and what is asked, and prints the line that signs the answer. The signature, by a key that\n" +
			"ROLLBACK_SIGNERS gives to --as, is pasted here, or read from --signature as soon as it is there, or made with\n" +
			"--sign-with, a private key file, by ssh-keygen. It counts for the plan that is shown, once. Without --answer it says\n" +
			"what can be answered. Two requesters who sign off together (break-glass) give a --reason each.\n\n" +
			"Exit status 1: it didn't count; why is printed.",
		Example: "  rollbackbot signoff rb-7q2mzk4x --as U012LENA --answer signoff_in_place\n" +
			"  rollbackbot signoff rb-7q2mzk4x --as U012LENA --answer signoff_none --sign-with ~/.ssh/id_ed25519",
		Args: exactly("the rollback's ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if as == "" {
				return usage("signoff wants --as with the Slack ID of who signs, as in --as U012ABCDEF")
			}
			cfg, err := config.Load(config.Everything)
			if err != nil {
				return err
			}
			store, err := journal.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), journal.Options{MustExist: true})
			if err != nil {
				return err
			}
			defer store.Close()
			s := newSigning(cfg, store, as, cmd.InOrStdin(), cmd.OutOrStdout())
			if file != "" {
				s.files = []string{file}
			}
			s.key = key
			return s.signOff(cmd.Context(), args[0], runbook.Answer(answer), reason)
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "the Slack ID of who signs")
	cmd.Flags().StringVar(&answer, "answer", "", "signoff_in_place, signoff_reverted, signoff_none, signoff_reject, confirm, error_rate_baseline, error_rate_elevated, retry, roll_forward or abort")
	cmd.Flags().StringVar(&reason, "reason", "", "why two requesters sign off without a lead")
	cmd.Flags().StringVar(&file, "signature", "", "a file that has the signature, or will have it")
	cmd.Flags().StringVar(&key, "sign-with", "", "a private key file to sign with")
	return cmd
}

// signing is one terminal in which a person signs.
type signing struct {
	cfg    config.Config
	store  *journal.Store
	reader *runner.Runner // reads how things stand
	as     string
	files  []string // where signatures are, or will be
	key    string   // a private key file; empty: signatures come otherwise
	in     io.Reader
	out    io.Writer

	tried map[string]bool // the contents of files that were given already
	typed chan string     // signatures and words that were typed
}

const (
	// signingLook is how often it is looked whether a signature has come, and how things stand.
	signingLook = 300 * time.Millisecond
	// heardPatience is how long somebody has to deal with what was signed: a plan of slow hosts takes a minute.
	heardPatience = 2 * time.Minute
)

func newSigning(cfg config.Config, store *journal.Store, as string, in io.Reader, out io.Writer) *signing {
	return &signing{
		cfg: cfg, store: store, as: as, in: in, out: out, tried: map[string]bool{}, typed: make(chan string),
		reader: &runner.Runner{Apps: cfg.Apps, Journal: store, Policy: policy(cfg)},
	}
}

func (s *signing) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// signOff answers one question, or says what can be answered.
func (s *signing) signOff(ctx context.Context, id string, answer runbook.Answer, reason string) error {
	rb, err := s.reader.Status(ctx, id)
	if err != nil {
		return err
	}
	writePlan(s.out, rb.Going(), "")
	said, err := s.answerTo(rb, answer)
	if err != nil {
		return err
	}
	said.By, said.Reason = s.as, strings.TrimSpace(reason)
	s.say("\n%s", askedIn(rb))
	go s.listen(ctx)
	if said.Signature, err = s.signature(ctx, said.Statement()); err != nil {
		return err
	}
	if err := s.hand(ctx, rb.App, said); err != nil {
		return err
	}
	s.say("It counts: %s %s.", s.as, answer)
	return nil
}

// answerTo is an answer to the question that is open now, unsigned.
func (s *signing) answerTo(rb runbook.Rollback, answer runbook.Answer) (terminal.Said, error) {
	possible := answersOf(rb)
	if !slices.Contains(possible, answer) {
		if len(possible) == 0 {
			return terminal.Said{}, fmt.Errorf("%s has ended: %s", rb.ID, rb.Outcome)
		}
		var names []string
		for _, a := range possible {
			names = append(names, string(a))
		}
		return terminal.Said{}, fmt.Errorf("--answer can be: %s", strings.Join(names, ", "))
	}
	return unsigned(rb, answer), nil
}

// answersOf are what can be answered now: those of the open question, and abort until the end.
func answersOf(rb runbook.Rollback) []runbook.Answer {
	if rb.State == runbook.StateEnded {
		return nil
	}
	var answers []runbook.Answer
	if open := rb.Question(); open != nil {
		answers = slices.Clone(open.Answers)
	}
	if !slices.Contains(answers, runbook.Abort) {
		answers = append(answers, runbook.Abort)
	}
	return answers
}

func unsigned(rb runbook.Rollback, answer runbook.Answer) terminal.Said {
	said := terminal.Said{Rollback: rb.ID, Answer: answer, Plan: rb.Going().Hash()}
	if open := rb.Question(); open != nil && answer != runbook.Abort {
		said.Question, said.Plan = open.ID, open.PlanFor(answer)
	}
	return said
}

// signature waits for the signature over a statement, or makes it.
func (s *signing) signature(ctx context.Context, statement terminal.Statement) (string, error) {
	if s.key != "" {
		return signWith(ctx, s.key, statement)
	}
	s.say("Sign it as %s with a key of ROLLBACK_SIGNERS, and paste the signature here:\n\n  %s\n", s.as, statement.Command("~/.ssh/id_ed25519"))
	if len(s.files) > 0 {
		s.say("Or write it to %s.\n", strings.Join(s.files, " or "))
	}
	for {
		if armored := s.filed(); armored != "" {
			return armored, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case text := <-s.typed:
			if strings.HasPrefix(text, armorBegin) {
				return text, nil
			}
		case <-time.After(signingLook):
		}
	}
}

// signWith has ssh-keygen sign, which asks for a passphrase in the terminal where it needs one.
func signWith(ctx context.Context, key string, statement terminal.Statement) (string, error) {
	if home, err := os.UserHomeDir(); err == nil && strings.HasPrefix(key, "~/") {
		key = home + key[1:]
	}
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-Y", "sign", "-n", terminal.Namespace, "-f", key)
	cmd.Stdin, cmd.Stderr = strings.NewReader(statement.Text()), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", key, err)
	}
	return string(out), nil
}

// hand puts what was signed into the inbox, waits until the process that acts has dealt with it, and gives its refusal.
func (s *signing) hand(ctx context.Context, app string, said terminal.Said) error {
	delivery, err := said.Delivery(time.Now())
	if err != nil {
		return err
	}
	if _, err := s.store.Put(ctx, delivery); err != nil {
		return err
	}
	for until := time.Now().Add(heardPatience); ; {
		pending, err := s.store.Pending(ctx)
		if err == nil && !slices.ContainsFunc(pending, func(d runbook.Delivery) bool { return d.Key == delivery.Key }) {
			return s.cameOf(ctx, app, said, delivery.Key)
		}
		if time.Now().After(until) {
			return errors.New("it was signed and lies in the database, but no bot has dealt with it: start `rollbackbot serve` or `rollbackbot run`")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(signingLook):
		}
	}
}

// cameOf is what came of a delivery that was dealt with, as the journal has it; nil: it counts. Nothing is said to count that
// was not seen there.
func (s *signing) cameOf(ctx context.Context, app string, said terminal.Said, key string) error {
	events, err := s.store.Events(ctx, app, "", 0)
	if err != nil {
		return err
	}
	counts := false
	for _, event := range events {
		if event.Cause != key {
			continue
		}
		if refused, is := event.Fact.(runbook.Refused); is {
			return &runbook.RefusedError{Why: refused.Why}
		}
		counts = true
	}
	if counts || said.Request == nil && s.stands(ctx, said) {
		return nil
	}
	return errors.New("the bot has dealt with it, and nothing came of it: does the bot that acts know this app, in its ROLLBACK_APPS?")
}

// stands reports whether the answer was given before, and still stands: the same again by the same person changes nothing.
func (s *signing) stands(ctx context.Context, said terminal.Said) bool {
	rb, err := s.reader.Status(ctx, said.Rollback)
	if err != nil {
		return false
	}
	if said.Answer == runbook.Abort {
		return rb.AbortedBy != ""
	}
	return slices.ContainsFunc(rb.Questions, func(q runbook.Asking) bool {
		half := slices.ContainsFunc(q.Halves, func(h runbook.Half) bool { return h.By == said.By && h.Answer == said.Answer })
		return q.ID == said.Question && (half || q.By == said.By && q.Answer == said.Answer)
	})
}
