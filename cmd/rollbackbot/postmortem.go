package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rollbackbot/internal/journal"
	"rollbackbot/runbook/postmortem"
)

func postmortemCommand() *cobra.Command {
	return &cobra.Command{
		Use: "postmortem ID", Short: "Print a rollback's postmortem in Markdown, as far as the journal knows",
		Long: "The ticket that the runbook asks for after a rollback: its six sections, filled from the journal. It needs the\n" +
			"database alone. The last lines of the replaced containers are in it, masked: read it before you show it around.",
		Example: "  rollbackbot postmortem rb-7h2kq9xm >postmortem.md", Args: exactly("the rollback's ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJournal(func(cmd *cobra.Command, store *journal.Store, _ []string) error {
				return printPostmortem(cmd, store, args[0])
			})(cmd, args)
		},
	}
}

func printPostmortem(cmd *cobra.Command, store *journal.Store, rollback string) error {
	app, err := store.App(cmd.Context(), rollback)
	if err != nil {
		return err
	}
	events, err := store.Events(cmd.Context(), app, "", 0)
	if err != nil {
		return err
	}
	text, err := postmortem.Postmortem(events, rollback, postmortem.Reader{})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}
