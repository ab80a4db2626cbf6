package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/github"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/probe"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/preflight"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [APP]",
		Short: "Look at everything that a rollback tonight would need; changes nothing",
		Long: "Each line is fine, with what was seen; WRONG, with what mends it; or not checked, with why.\n" +
			"Exit status 1: something would not work. Without APP all apps are looked at.",
		Example: "  rollbackbot doctor\n  rollbackbot doctor shop",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("doctor takes one app or none")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(config.Everything)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				app, err := findApp(cfg, args[0])
				if err != nil {
					return err
				}
				cfg.Apps = []runbook.App{app}
			}
			return examine(cmd, cfg)
		},
	}
}

// databasePatience bounds opening the database, before which nothing else is looked at.
const databasePatience = 10 * time.Second

func examine(cmd *cobra.Command, cfg config.Config) error {
	pool, err := newPool(cfg, newLogger(cfg, cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer pool.Close()
	rates, err := newPrometheus(cfg)
	if err != nil {
		return err
	}
	hub, err := newGitHub(cfg)
	if err != nil {
		return err
	}
	c := checkup{cfg: cfg, hosts: hostsOf(pool), health: probe.Health{}, rates: rates, hub: hub, logins: pool.Checks}
	opening, cancel := context.WithTimeout(cmd.Context(), databasePatience)
	store, err := journal.Open(opening, cfg.DatabaseURL.Reveal(), journal.Options{MustExist: true})
	cancel()
	if err != nil {
		c.noStore = err
	} else {
		defer store.Close()
		c.store = store
	}
	findings := preflight.Checkup(cmd.Context(), preflight.CheckupTimeout, c.checks())
	for _, f := range findings {
		fmt.Fprintln(cmd.OutOrStdout(), f)
	}
	if !runbook.Sound(findings) {
		return &statusError{status: exitFailed}
	}
	return nil
}

// checkup joins the checks of all adapters.
type checkup struct {
	cfg     config.Config
	store   *journal.Store // nil: noStore says why
	noStore error
	hosts   runbook.Hosts
	health  runbook.HealthChecker
	rates   runbook.ErrorRateChecker
	hub     *github.Client             // nil: none is configured
	disk    func(folder string) string // see journal.CheckDisk
	// logins are the checks of what log-ins to hosts go by; nil: there are none.
	logins func(hosts ...runbook.Host) []runbook.Check
	// observed says when an app's hosts were last seen, zero: not yet; nil: not known to this process.
	observed func(app string) time.Time
}

func (c checkup) checks() []runbook.Check {
	cfg := c.cfg
	api := bot.NewClient(cfg.Slack.BotToken.Reveal(), cfg.Slack.AppToken.Reveal(), cfg.Slack.APIURL)
	checks := bot.Checkup{
		API: api, BotToken: cfg.Slack.BotToken.Reveal(), AppToken: cfg.Slack.AppToken.Reveal(),
		Channel: bot.Channel{API: api, ID: cfg.Slack.Channel},
		Directory: &bot.Directory{API: api, Channel: cfg.Slack.Channel, Leads: cfg.People.Leads, Deputies: cfg.People.Deputies,
			Requesters: cfg.People.Requesters, ChannelMayRequest: cfg.People.ChannelMayRequest},
	}.Checks()
	checks = append(checks, known(checkSigners(cfg, time.Now())), c.database(), known(journal.CheckDisk(cfg.DatabaseURL.Reveal(), c.disk)))
	if c.logins != nil {
		checks = append(checks, c.logins(cfg.Hosts()...)...)
	}
	planner := preflight.Planner{Hosts: c.hosts}
	if c.store != nil {
		planner.Journal, planner.Chronicle = c.store, &history.Chronicle{}
	}
	for _, app := range cfg.Apps {
		if c.store != nil {
			checks = append(checks, c.store.CheckChain(app.Name))
		}
		checks = append(checks, planner.Checks(app, c.health, c.rates)...)
		checks = append(checks, c.observer(app.Name))
		switch {
		case app.Repository == "":
			checks = append(checks, known(runbook.NotChecked("GitHub for "+app.Name, "no REPOSITORY is configured, so no ticket is opened")))
		case c.hub == nil:
			checks = append(checks, known(runbook.NotChecked("GitHub for "+app.Name, "no ROLLBACK_GITHUB_TOKEN is configured, so no ticket is opened")))
		default:
			checks = append(checks, c.hub.Check(app.Repository))
		}
	}
	return checks
}

func (c checkup) database() runbook.Check {
	const about = "database"
	if c.noStore != nil {
		return known(runbook.FoundWrong(about, "Check ROLLBACK_DATABASE_URL; `rollbackbot serve` makes a database that isn't there", "%v", c.noStore))
	}
	return runbook.Check{About: about, Run: func(ctx context.Context) []runbook.Finding {
		if _, err := c.store.Apps(ctx); err != nil {
			return []runbook.Finding{runbook.FoundWrong(about, "Check that the database runs, and ROLLBACK_DATABASE_URL", "it can't be read: %v", err)}
		}
		return []runbook.Finding{runbook.FoundFine(about, "it answers")}
	}}
}

// observerLate is how old the observer's last look may be; or three of its intervals, where that is longer. It doesn't look
// while a rollback is under way.
const observerLate = 10 * time.Minute

func lateAfter(cfg config.Config) time.Duration { return max(observerLate, 3*cfg.ObserveInterval) }

func (c checkup) observer(app string) runbook.Check {
	about := "observer of " + app
	if c.observed == nil {
		return known(runbook.NotChecked(about, "only `serve` knows when it last looked: rollbackbot_last_observation_timestamp_seconds in /metrics"))
	}
	return runbook.Check{About: about, Run: func(ctx context.Context) []runbook.Finding {
		at := c.observed(app)
		age := time.Since(at).Round(time.Second)
		switch open, err := c.store.Open(ctx, app); {
		case at.IsZero():
			return []runbook.Finding{runbook.NotChecked(about, "it has not seen all hosts since this process began to act")}
		case age <= lateAfter(c.cfg):
			return []runbook.Finding{runbook.FoundFine(about, "it saw all hosts %s ago", age)}
		case err != nil || open != "":
			return []runbook.Finding{runbook.NotChecked(about, "it saw all hosts %s ago; it doesn't look while a rollback is under way", age)}
		}
		return []runbook.Finding{runbook.FoundWrong(about, "See in the log why: `what runs could not be seen`", "it last saw all hosts %s ago", age)}
	}}
}

// known is a check whose answer needs no looking.
func known(f runbook.Finding) runbook.Check {
	return runbook.Check{About: f.About, Run: func(context.Context) []runbook.Finding { return []runbook.Finding{f} }}
}
