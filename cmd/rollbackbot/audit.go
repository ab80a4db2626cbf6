package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/runbook/history"
)

func auditCommand() *cobra.Command {
	audit := &cobra.Command{
		Use: "audit", Short: "Export the journal, or prove its hash chain",
		Long: "The journal holds every request, answer, command and outcome. Both commands need the database alone, and change\n" +
			"nothing.",
		Example: "  rollbackbot audit export >journal.jsonl\n  rollbackbot audit verify",
		Args:    exactly("export or verify"),
		RunE: func(_ *cobra.Command, args []string) error {
			return usage("there is no command \"audit %s\"; there are `audit export` and `audit verify`", args[0])
		},
	}
	audit.AddCommand(
		&cobra.Command{
			Use: "export", Short: "Write the journal as JSON lines",
			Long:    "Writes every event of every app in the journal, one a line, each app's oldest first, with its hash.",
			Example: "  rollbackbot audit export >journal.jsonl", Args: exactly(),
			RunE: withJournal(func(cmd *cobra.Command, store *journal.Store, apps []string) error {
				return store.Export(cmd.Context(), cmd.OutOrStdout(), apps...)
			}),
		},
		&cobra.Command{
			Use: "verify", Short: "Prove the hash chain of every app, and print its head",
			Long: "Names the first event that was changed, removed, added or reordered. Compare the heads with those that the\n" +
				"records in Slack carry: only that tells a chain that was computed anew as a whole.",
			Example: "  rollbackbot audit verify", Args: exactly(),
			RunE: withJournal(verifyAll),
		},
	)
	return audit
}

func withJournal(f func(*cobra.Command, *journal.Store, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(config.Database)
		if err != nil {
			return err
		}
		store, err := journal.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), journal.Options{MustExist: true})
		if err != nil {
			return err
		}
		defer store.Close()
		apps, err := store.Apps(cmd.Context())
		if err != nil {
			return err
		}
		return f(cmd, store, apps)
	}
}

func verifyAll(cmd *cobra.Command, store *journal.Store, apps []string) error {
	for _, app := range apps {
		if err := store.Verify(cmd.Context(), app); err != nil {
			return err
		}
		if err := history.CheckMemo(cmd.Context(), store, store, app); err != nil {
			return err
		}
		head, err := store.Head(cmd.Context(), app)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: whole, head %s\n", app, head)
	}
	return nil
}
