package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
)

func deployedCommand() *cobra.Command {
	var images []string
	var version, commit, migration string
	cmd := &cobra.Command{
		Use:   "deployed APP --image SERVICE=NAME@sha256:… …",
		Short: "Note a release: the deployment notes, by CI or a person",
		Long: "Notes that these images go live together. Every service of the app is named. Exit status 3 where one of the\n" +
			"images is quarantined: then nothing is noted.",
		Example: "  rollbackbot deployed shop --version v42 --commit 3f2c1d0 --migration none \\\n" +
			"    --image api=ghcr.io/acme/shop/api@sha256:… --image worker=… --image web=…",
		Args: exactly("the app"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(config.Apps)
			if err != nil {
				return err
			}
			app, err := findApp(cfg, args[0])
			if err != nil {
				return err
			}
			note, err := deploymentNote(images, version, commit, migration)
			if err != nil {
				return err
			}
			return noteDeployment(cmd, cfg, app, note)
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

func noteDeployment(cmd *cobra.Command, cfg config.Config, app runbook.App, note runbook.Deployed) error {
	store, err := journal.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), journal.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	release, err := runbook.NoteDeployment(cmd.Context(), store, app, note)
	var target *runbook.TargetError
	if errors.As(err, &target) {
		return usage("%v", err)
	}
	if err != nil {
		return quarantined(err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "noted: %s of %s, migration %s\n", release.Name(), app.Name, release.Migration)
	return err
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
			"Take anything but 0 as no.",
		Example: "  rollbackbot allowed ghcr.io/acme/shop/api@sha256:… && docker compose up -d",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("allowed takes one or more images")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(config.Database)
			if err != nil {
				return err
			}
			return judge(cmd.Context(), cfg, args)
		},
	}
}

func judge(ctx context.Context, cfg config.Config, refs []string) error {
	var images []runbook.Image
	for _, ref := range refs {
		image, err := runbook.ParseImage(ref)
		if err != nil {
			return usage("%v", err)
		}
		images = append(images, image)
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
	for _, image := range images {
		if err := runbook.Allowed(ctx, store, apps, image); err != nil {
			return quarantined(err)
		}
	}
	return nil
}

func historyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "history APP", Short: "List an app's releases and rollbacks, the latest first", Example: "  rollbackbot history shop", Args: exactly("the app"),
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
			return printHistory(cmd, store, args[0])
		},
	}
}

func printHistory(cmd *cobra.Command, store *journal.Store, app string) error {
	apps, err := store.Apps(cmd.Context())
	if err != nil {
		return err
	}
	events, err := store.Events(cmd.Context(), app, "", 0)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return &runbook.UnknownAppError{Name: app, Apps: apps}
	}
	out := cmd.OutOrStdout()
	fmt.Fprintln(out, "Releases:")
	for _, release := range runbook.NewHistory(events).Releases() {
		fmt.Fprintln(out, "  "+runbook.Describe(release))
	}
	runner := runbook.Runner{Journal: store}
	rollbacks, err := runner.Rollbacks(cmd.Context(), app)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Rollbacks:")
	for i := len(rollbacks) - 1; i >= 0; i-- {
		fmt.Fprintln(out, "  "+rollbackLine(rollbacks[i]))
	}
	return nil
}

func rollbackLine(rb runbook.Rollback) string {
	state := string(rb.Outcome)
	if state == "" {
		state = string(rb.State)
	}
	return fmt.Sprintf("%s  %s  to %s  %s  asked for by %s: %s", rb.Request.At.UTC().Format("2006-01-02 15:04 UTC"), rb.ID, rb.Plan.Target.Name(), state,
		rb.Request.By, runbook.Truncate(strings.Join(strings.Fields(rb.Request.Reason), " "), 80))
}
