package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	xterm "golang.org/x/term"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/terminal"
	"rollbackbot/runbook"
)

func runCommand() *cobra.Command {
	var as, key string
	var files []string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "run APP --as U… [to RELEASE] [migration none|yes|unknown] [owner U…] [because REASON…]",
		Short: "Roll back from a terminal, as when Slack is down: the same plan, rules, lock and journal",
		Long: "Shows the plan, and has --as sign it with a key that ROLLBACK_SIGNERS gives to them. After APP it reads what\n" +
			"/rollback reads. Whoever signs off does so here, by pasting their signature, or with `rollbackbot signoff` wherever\n" +
			"the database can be reached. A `serve` that acts carries the rollback; where none does, this process does, and can\n" +
			"be started again if it is lost. The conversation and the record reach the channel once Slack is back and\n" +
			"a `serve` runs. An app that has a rollback open already, begun in Slack or in a terminal that is gone, goes on.\n\n" +
			"Who may do what Slack tells, where it answers; otherwise whom ROLLBACK_LEADS and the others name by their own ID.\n" +
			"Exit status 1: it did not end as a rollback that succeeded.",
		Example: "  rollbackbot run shop --as U012ANA because checkout answers 503\n" +
			"  rollbackbot run shop --as U012ANA --sign-with ~/.ssh/id_ed25519 to v41 migration none",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("run wants the app, as in: rollbackbot run shop --as U012ABCDEF")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if as == "" {
				return usage("run wants --as with the Slack ID of who asks, as in --as U012ABCDEF")
			}
			cfg, err := config.Load(config.Everything)
			if err != nil {
				return err
			}
			if cfg.Signers == "" {
				return usage("ROLLBACK_SIGNERS is not set: it names the file with the keys of those who may ask and sign off in a terminal")
			}
			request, err := requestOf(args, as)
			if err != nil {
				return usage("%v", err)
			}
			if _, err := findApp(cfg, request.App); err != nil {
				return err
			}
			log := zerolog.Nop()
			if verbose {
				log = newLogger(cfg, cmd.ErrOrStderr())
			}
			store, err := journal.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), journal.Options{})
			if err != nil {
				return err
			}
			defer store.Close()
			s := newSigning(cfg, store, as, cmd.InOrStdin(), cmd.OutOrStdout())
			s.files, s.key = files, key
			return runInTerminal(cmd.Context(), cfg, log, s, request)
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "the Slack ID of who asks")
	cmd.Flags().StringArrayVar(&files, "signature", nil, "a file that has a signature, or will have it; may be given more than once")
	cmd.Flags().StringVar(&key, "sign-with", "", "a private key file of --as, to sign with")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "write the log to the standard error")
	return cmd
}

var ownerID = regexp.MustCompile(`^[UW][A-Z0-9]+$`)

// requestOf reads the words after the command as /rollback reads them, where an owner is a mention.
func requestOf(words []string, as string) (runbook.Request, error) {
	words = slices.Clone(words)
	for i := 1; i < len(words); i++ {
		if words[i] == "because" {
			break
		}
		if words[i-1] == "owner" && ownerID.MatchString(words[i]) {
			words[i] = "<@" + words[i] + ">"
		}
	}
	command, err := bot.Parse(strings.Join(words, " "))
	if err != nil {
		return runbook.Request{}, err
	}
	if command.Verb != bot.VerbRollback {
		return runbook.Request{}, fmt.Errorf("run takes an app and what /rollback APP takes after it, not %q", words[0])
	}
	return command.Request(as, time.Now().UTC()), nil
}

// runInTerminal carries a rollback where nobody else does, while the person watches and signs.
func runInTerminal(ctx context.Context, cfg config.Config, log zerolog.Logger, s *signing, request runbook.Request) error {
	r, err := openReplica(cfg, log, s.store)
	if err != nil {
		return err
	}
	defer r.pool.Close()
	base, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := r.takeTurns(base); err != nil {
			s.say("This process can't act: %v", err)
		}
	})
	// Slack may be away for good. What it hears meanwhile is stored as ever.
	parts.Go(func() {
		if err := r.listener.Run(base); err != nil {
			log.Error().Err(err).Msg("this process doesn't listen to Slack")
		}
	})
	go s.listen(base)
	err = s.rollBack(base, r, request)
	stop()
	parts.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		s.say("\nStopped watching. What runs on the hosts goes on; `rollbackbot run %s --as %s`, or `rollbackbot serve`, carries it further.", request.App, s.as)
		return &statusError{status: exitFailed}
	}
	return err
}

// rollBack asks, unless something is open already, and follows it to its end.
func (s *signing) rollBack(ctx context.Context, r *replica, request runbook.Request) error {
	id, err := s.store.Open(ctx, request.App)
	if err != nil {
		return err
	}
	if id != "" {
		s.say("%s has a rollback open already, %s: this goes on with it.", request.App, id)
	} else if id, err = s.ask(ctx, r, request); err != nil {
		return err
	}
	return s.follow(ctx, id)
}

// maxPlans is how often a plan that changes under a person's hand is shown anew.
const maxPlans = 5

// ask shows the plan, has it signed and opens the rollback.
func (s *signing) ask(ctx context.Context, r *replica, request runbook.Request) (id string, err error) {
	planner := r.newRunner(r.announcer)
	for range maxPlans {
		plan, needsLead, err := planner.Plan(ctx, request)
		if err != nil {
			return "", err
		}
		writePlan(s.out, plan, needsLead)
		request.ID = runbook.NewID()
		said := terminal.Said{By: s.as, Plan: plan.Hash(), Request: &request}
		s.say("\nSigned, this asks for rollback %s. %s", request.ID, nothingYet(needsLead))
		if said.Signature, err = s.signature(ctx, said.Statement()); err != nil {
			return "", err
		}
		err = s.hand(ctx, request.App, said)
		if open, problem := s.store.Open(ctx, request.App); problem == nil && open == request.ID {
			return request.ID, nil
		}
		var no *runbook.RefusedError
		if !errors.As(err, &no) || !strings.HasPrefix(no.Why, "The plan has changed") {
			return "", orDone(err, request.ID)
		}
		s.say("\n%s\n", no.Why)
	}
	return "", errors.New("the plan changes all the time: somebody is deploying. Find out who, and try again")
}

func nothingYet(needsLead string) string {
	if needsLead == "" {
		return "It begins at once, since no lead is needed."
	}
	return "Nothing runs before it is signed off."
}

// orDone is err, or that a rollback has ended already.
func orDone(err error, id string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s was opened and is over already; `rollbackbot history` tells", id)
}

// follow shows how a rollback goes until it has ended, and takes signatures meanwhile.
func (s *signing) follow(ctx context.Context, id string) error {
	view := newTerminalView(s.out, isTerminal(s.out))
	for {
		rb, err := s.reader.Status(ctx, id)
		if err != nil && ctx.Err() == nil {
			view.trouble(err)
		}
		if err == nil {
			view.show(rb, time.Now(), s.howToAnswer(rb))
			if rb.State == runbook.StateEnded {
				return s.ended(ctx, view, rb)
			}
		}
		if armored := s.filed(); armored != "" {
			s.take(ctx, view, rb, armored)
		}
		select {
		case <-ctx.Done():
			view.close()
			return ctx.Err()
		case text := <-s.typed:
			s.take(ctx, view, rb, text)
		case <-time.After(signingLook):
		}
	}
}

// take gives on what somebody signed, or signs what --as typed.
func (s *signing) take(ctx context.Context, view *terminalView, rb runbook.Rollback, text string) {
	said, err := s.understand(ctx, rb, text)
	if err == nil {
		view.note("Signed by %s: %s. Waiting for it to count …", said.By, said.Answer)
		err = s.hand(ctx, rb.App, said)
	}
	if err != nil && ctx.Err() == nil {
		view.note("%v", err)
	}
}

// understand finds whose signature it is, and for which answer. A word is an answer of --as.
func (s *signing) understand(ctx context.Context, rb runbook.Rollback, text string) (terminal.Said, error) {
	if !strings.HasPrefix(text, armorBegin) {
		answer := runbook.Answer(text)
		if !slices.Contains(answersOf(rb), answer) {
			return terminal.Said{}, fmt.Errorf("%q is neither a signature nor an answer", runbook.Truncate(text, 60))
		}
		if s.key == "" {
			return terminal.Said{}, errors.New("with --sign-with KEY a typed answer is signed; otherwise paste the signature")
		}
		said := unsigned(rb, answer)
		said.By = s.as
		var err error
		said.Signature, err = signWith(ctx, s.key, said.Statement())
		return said, err
	}
	signers, err := loadSigners(s.cfg)
	if err != nil {
		return terminal.Said{}, err
	}
	for _, person := range append([]string{s.as}, signers.People()...) {
		for _, answer := range answersOf(rb) {
			said := unsigned(rb, answer)
			said.By, said.Signature = person, text
			problem := signers.Verify(person, said.Statement(), text, time.Now())
			if problem == nil {
				return said, nil
			}
			if err == nil {
				err = problem
			}
		}
	}
	return terminal.Said{}, fmt.Errorf("this signature is for nothing that is asked now, or by nobody whom ROLLBACK_SIGNERS knows (%w)", err)
}

// recordPatience is how long a terminal waits for the record to be in Slack, once all is done.
const recordPatience = 10 * time.Second

// ended says how it ended, and where the record is.
func (s *signing) ended(ctx context.Context, view *terminalView, rb runbook.Rollback) error {
	for until := time.Now().Add(recordPatience); rb.Posts[string(runbook.NoticeRecord)].TS == "" && time.Now().Before(until) && ctx.Err() == nil; {
		time.Sleep(signingLook)
		if now, err := s.reader.Status(ctx, rb.ID); err == nil {
			rb = now
		}
	}
	view.close()
	if rb.Posts[string(runbook.NoticeRecord)].TS == "" {
		s.say("The record is not in Slack yet: it is posted as soon as Slack answers and a `rollbackbot serve` runs.")
	} else {
		s.say("The record is in the team channel.")
	}
	if rb.Outcome != runbook.Succeeded {
		return &statusError{status: exitFailed}
	}
	return nil
}

// isTerminal reports whether a person is at the other end, who sees what is written as it comes and types what is read.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && xterm.IsTerminal(int(file.Fd()))
}
