package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

func deployedCommand() *cobra.Command {
	var images []string
	var version, commit, migration string
	cmd := &cobra.Command{
		Use:   "deployed APP --image SERVICE=NAME@sha256:… …",
		Short: "Note a release: the deployment notes, by CI or a person",
		Long: "Notes that these images go live together. Every service of the app is named. Exit status 3 where one of the\n" +
			"images is quarantined: then nothing is noted. Away from the bot's machine ROLLBACK_URL and ROLLBACK_HTTP_TOKEN\n" +
			"are all that it needs.",
		Example: "  rollbackbot deployed shop --version v42 --commit 3f2c1d0 --migration none \\\n" +
			"    --image api=ghcr.io/acme/shop/api@sha256:… --image worker=… --image web=…",
		Args: exactly("the app"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bot, err := remoteBot()
			if err != nil {
				return err
			}
			note, noteErr := deploymentNote(images, version, commit, migration)
			var release runbook.Release
			switch {
			case bot == nil:
				release, err = noteHere(cmd.Context(), args[0], note, noteErr)
			case noteErr != nil:
				err = noteErr
			default:
				release, err = noteAt(cmd.Context(), bot, args[0], note)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "noted: %s of %s, migration %s\n", release.Name(), args[0], release.Migration)
			return err
		},
	}
	cmd.Flags().StringArrayVar(&images, "image", nil, "SERVICE=NAME@sha256:<64 hex digits>; once for every service")
	cmd.Flags().StringVar(&version, "version", "", "what people call the release")
	cmd.Flags().StringVar(&commit, "commit", "", "the commit that it was built from")
	cmd.Flags().StringVar(&migration, "migration", "", "whether it brings a database migration: none, yes or unknown")
	return cmd
}

// deploymentNote reads the flags; all that is wrong with them comes together.
func deploymentNote(images []string, version, commit, migration string) (runbook.Deployed, error) {
	note := runbook.Deployed{Images: map[string]runbook.Image{}, Version: version, Commit: commit}
	var problems []string
	for _, pair := range images {
		service, ref, found := strings.Cut(pair, "=")
		if !found {
			problems = append(problems, fmt.Sprintf("--image %q: give SERVICE=NAME@sha256:…", pair))
			continue
		}
		image, err := runbook.ParseImage(ref)
		if err != nil {
			problems = append(problems, fmt.Sprintf("--image %s: %v", service, err))
			continue
		}
		if _, twice := note.Images[service]; twice {
			problems = append(problems, fmt.Sprintf("--image %s is given twice", service))
		}
		note.Images[service] = image
	}
	var known bool
	if note.Migration, known = runbook.ParseMigration(migration); !known {
		problems = append(problems, fmt.Sprintf("--migration %q: it is none, yes or unknown", migration))
	}
	if len(problems) > 0 {
		return note, usage("%s", strings.Join(problems, "\n"))
	}
	return note, nil
}

// noteHere notes a deployment in the journal. noteErr is what is wrong with the note by itself: the configuration is told
// of first.
func noteHere(ctx context.Context, name string, note runbook.Deployed, noteErr error) (runbook.Release, error) {
	cfg, err := config.Load(config.Apps)
	if err != nil {
		return runbook.Release{}, err
	}
	app, err := findApp(cfg, name)
	if err != nil {
		return runbook.Release{}, err
	}
	if noteErr == nil {
		noteErr = note.Check(app)
	}
	if noteErr != nil {
		return runbook.Release{}, usage("%v", noteErr) // before a journal is created
	}
	store, err := journal.Open(ctx, cfg.DatabaseURL.Reveal(), journal.Options{})
	if err != nil {
		return runbook.Release{}, err
	}
	defer store.Close()
	release, err := history.NoteDeployment(ctx, store, app, note)
	return release, quarantined(err)
}

// quarantined gives a quarantine its exit status.
func quarantined(err error) error {
	var blocked *runbook.QuarantinedError
	if errors.As(err, &blocked) {
		return &statusError{exitQuarantined, err}
	}
	return err
}

func findApp(cfg config.Config, name string) (runbook.App, error) {
	var names []string
	for _, app := range cfg.Apps {
		if app.Name == name {
			return app, nil
		}
		names = append(names, app.Name)
	}
	return runbook.App{}, usage("%v", &runbook.UnknownAppError{Name: name, Apps: names})
}

func allowedCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "allowed NAME@sha256:… …",
		Short: "Ask, before deploying, whether images are quarantined",
		Long: "The gate for CI. Exit status 0: none of them is quarantined. 3: one is, with why. 1: it can't be judged.\n" +
			"Take anything but 0 as no. Away from the bot's machine ROLLBACK_URL and ROLLBACK_HTTP_TOKEN are all that it needs.",
		Example: "  rollbackbot allowed ghcr.io/acme/shop/api@sha256:… && docker compose up -d",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("allowed takes one or more images")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			bot, err := remoteBot()
			if err != nil {
				return err
			}
			images, imagesErr := parseRefs(args)
			switch {
			case bot == nil:
				return judgeHere(cmd.Context(), images, imagesErr)
			case imagesErr != nil:
				return imagesErr
			}
			return quarantined(bot.Allowed(cmd.Context(), images...))
		},
	}
}

// parseRefs reads images; all that is wrong with them comes together.
func parseRefs(refs []string) (images []runbook.Image, err error) {
	var problems []string
	for _, ref := range refs {
		image, err := runbook.ParseImage(ref)
		if err != nil {
			problems = append(problems, err.Error())
		}
		images = append(images, image)
	}
	if len(problems) > 0 {
		return nil, usage("%s", strings.Join(problems, "\n"))
	}
	return images, nil
}

func judgeHere(ctx context.Context, images []runbook.Image, imagesErr error) error {
	cfg, err := config.Load(config.Database)
	if err == nil {
		err = imagesErr
	}
	if err != nil {
		return err
	}
	store, err := journal.Open(ctx, cfg.DatabaseURL.Reveal(), journal.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer store.Close()
	apps, err := store.Apps(ctx)
	if err != nil {
		return err
	}
	return quarantined(history.Allowed(ctx, store, apps, images...))
}

func historyCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "history APP", Short: "List an app's releases and rollbacks, the latest first", Example: "  rollbackbot history shop\n  rollbackbot history shop --all", Args: exactly("the app"),
		Long: fmt.Sprintf("The latest %d releases and the latest %[1]d rollbacks of an app. --all lists every one, and reads the whole journal for it. It needs the database alone.", history.Recent),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(config.Database)
			if err != nil {
				return err
			}
			store, err := journal.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), journal.Options{MustExist: true})
			if err != nil {
				return err
			}
			defer store.Close()
			return printHistory(cmd, store, args[0], all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also the older ones")
	return cmd
}

func printHistory(cmd *cobra.Command, store *journal.Store, app string, all bool) error {
	apps, err := store.Apps(cmd.Context())
	if err != nil {
		return err
	}
	if !slices.Contains(apps, app) {
		return &runbook.UnknownAppError{Name: app, Apps: apps}
	}
	// What is kept of a former question is good enough to be shown; nothing is decided on it.
	chronicle := &history.Chronicle{Memos: store, Read: !all, Keep: true}
	past, err := chronicle.History(cmd.Context(), store, app)
	if err != nil {
		return err
	}
	releases, rollbacks := past.Releases(), past.Rollbacks()
	older := past.Short() || len(releases) > history.Recent || len(rollbacks) > history.Recent
	if !all {
		releases = releases[:min(len(releases), history.Recent)]
		rollbacks = rollbacks[max(0, len(rollbacks)-history.Recent):]
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	if apart := past.Apart(); apart != "" {
		fmt.Fprintln(out, "The hosts don't all run one known release: "+apart)
	}
	fmt.Fprintln(out, "Releases:")
	for _, release := range releases {
		line := "  " + runbook.Describe(release)
		if release.URL != "" {
			line += "  " + release.URL
		}
		fmt.Fprintln(out, line)
	}
	fmt.Fprintln(out, "Rollbacks:")
	for _, rb := range slices.Backward(rollbacks) {
		fmt.Fprintln(out, "  "+rollbackLine(rb))
	}
	if older && !all {
		fmt.Fprintf(out, "The older ones: rollbackbot history %s --all\n", app)
	}
	return out.Flush()
}

func rollbackLine(rb runbook.Past) string {
	state := string(rb.Outcome)
	if state == "" {
		state = "under way"
	}
	return fmt.Sprintf("%s  %s  to %s  %s  asked for by %s: %s", rb.At.UTC().Format("2006-01-02 15:04 UTC"), rb.ID, rb.To, state,
		rb.By, runbook.Truncate(strings.Join(strings.Fields(rb.Reason), " "), 80))
}
