package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/terminal"
	"rollbackbot/runbook"
)

// signersFile is an allowed_signers file with a key for each line: what stands before it.
func signersFile(t *testing.T, lines ...string) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command(parts.SSHKeygen(t), "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line + " " + string(public))
	}
	file := filepath.Join(t.TempDir(), "allowed_signers")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Without Slack only those count whom the configuration names by their own IDs; nobody is taken for a member of a group.
func TestRolesWithoutSlack(t *testing.T) {
	signers, err := terminal.LoadSigners(signersFile(t, "U0ANA", `U0OLD valid-before="20200101"`))
	if err != nil {
		t.Fatal(err)
	}
	people := config.People{Leads: []string{"U0LENA", "S0LEADS"}, Deputies: []string{"U0DEP"}, ChannelMayRequest: true}
	for _, c := range []struct {
		person                  string
		lead, deputy, requester bool
		refused                 bool
	}{
		{person: "U0LENA", lead: true},
		{person: "U0DEP", deputy: true},
		{person: "U0ANA", requester: true},
		{person: "U0OLD", refused: true},
		{person: "U0NOBODY", refused: true},
	} {
		roles, err := rolesWithoutSlack(people, signers, c.person, time.Now())
		var no *runbook.RefusedError
		if errors.As(err, &no) != c.refused || roles.Lead != c.lead || roles.Deputy != c.deputy || roles.Requester != c.requester {
			t.Errorf("%s has %+v, %v", c.person, roles, err)
		}
	}
	roles, err := rolesWithoutSlack(config.People{Leads: []string{"U0LENA"}, Requesters: []string{"U0ANA"}}, signers, "U0NOBODY", time.Now())
	if err != nil || roles.Lead || roles.Requester {
		t.Errorf("where no group is named, a stranger has %+v, %v", roles, err)
	}
}

func TestCheckSigners(t *testing.T) {
	rubbish := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(rubbish, []byte("U0LENA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file   string
		people config.People
		wrong  bool
		says   string
	}{
		"none":        {says: "ROLLBACK_SIGNERS is not set"},
		"rubbish":     {file: rubbish, wrong: true, says: "line 1"},
		"a lead":      {file: signersFile(t, "U0LENA"), people: config.People{Leads: []string{"S0LEADS", "U0LENA"}}, says: "U0LENA can, as a lead"},
		"groups only": {file: signersFile(t, "U0LENA"), people: config.People{Leads: []string{"S0LEADS"}}, wrong: true, says: "names no person, only groups"},
		"no key":      {file: signersFile(t, "U0ANA"), people: config.People{Leads: []string{"U0LENA"}}, wrong: true, says: "U0LENA is not a principal"},
		"expired":     {file: signersFile(t, `U0LENA valid-before="20200101"`), people: config.People{Leads: []string{"U0LENA"}}, wrong: true, says: "expired"},
		"break-glass": {file: signersFile(t, "U0ANA", "U0BEN"), people: config.People{Leads: []string{"U0LENA"}, Requesters: []string{"U0ANA", "U0BEN"}, BreakGlass: true}, says: "U0ANA, U0BEN can together"},
	} {
		found := checkSigners(config.Config{Signers: c.file, People: c.people}, time.Now())
		if text := found.String(); (found.Mark == runbook.Wrong) != c.wrong || !strings.Contains(text, c.says) || c.wrong && found.Remedy == "" {
			t.Errorf("%s: %+v, want %q", name, found, c.says)
		}
	}
}

// What /rollback reads, with people by their IDs.
func TestRequestOf(t *testing.T) {
	got, err := requestOf(strings.Fields("shop to v1 migration yes owner U0BEN because owner U0ANA says so"), "U0ANA")
	if err != nil || got.App != "shop" || got.Release != "v1" || got.Migration != "yes" || got.Owner != "U0BEN" || got.Reason != "owner U0ANA says so" || got.By != "U0ANA" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, line := range []string{"history shop", "shop too v1", "abort rb-7q2mzk4x", "shop to"} {
		if got, err := requestOf(strings.Fields(line), "U0ANA"); err == nil {
			t.Errorf("%q is read as %+v", line, got)
		}
	}
}

// Where Slack answers, the configuration alone lets nobody in.
func TestSlackIsThere(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&bot.SlackError{Code: "user_not_found"}, true},
		{fmt.Errorf("read the user: %w", &runbook.RetryError{After: time.Second, Err: errors.New("limited")}), true},
		{&bot.SlackError{Code: "token_revoked"}, false},
		{errors.New("connection refused"), false},
	} {
		if got := slackIsThere(c.err); got != c.want {
			t.Errorf("%v: %t, want %t", c.err, got, c.want)
		}
	}
}
