// Package setup is the conversation of `rollbackbot init`: it looks at what compose runs on a host, asks a person what can't
// be seen there, and writes rollbackbot.env and known_hosts. It changes nothing on the host.
//
// Each question has a flag. What a flag says isn't asked; without a terminal a question that has one sure answer takes that,
// and the flags of all others are named together. A file that is there already is never overwritten: rollbackbot.env may hold
// tokens and a person's own lines, and where the lines of a second app belong in it is theirs to say.
package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"rollbackbot/bot"
	"rollbackbot/internal/compose/discover"
	"rollbackbot/runbook"
	"rollbackbot/ssh"
)

// Interview is one run of init.
type Interview struct {
	Host runbook.Host
	// Answers are those that flags gave, by the flags' names.
	Answers map[string]string
	// Terminal is true where somebody reads Out and types into In.
	Terminal bool
	In       io.Reader
	Out      io.Writer
	// Folder is where rollbackbot.env is written, an absolute path.
	Folder string
	Given  Given
	World  World

	lines   *bufio.Reader
	missing []string
}

// Given is what the environment says already. All paths are absolute.
type Given struct {
	BotToken, AppToken, APIURL string
	SSHKey                     string   // private key file; "" where none is named
	Keys                       []string // private key files that are there
	Agent                      bool     // an agent answers
	KnownHosts                 string   // the file of the hosts' keys, whether it is there or not
	Jump                       runbook.Host
}

// World is all that an interview reaches.
type World interface {
	// Knows reports whether known_hosts says anything about a host; Scan shows the keys of one; Remember adds one.
	// The key file is for the way through a jump host.
	Knows(host runbook.Host) (bool, error)
	Scan(ctx context.Context, host runbook.Host, keyFile string) ([]ssh.HostKey, error)
	Remember(host runbook.Host, key ssh.HostKey) error
	// Login finds the engine of a host. No key file: the agent's keys.
	Login(ctx context.Context, host runbook.Host, keyFile string) (Engine, error)
	// Health asks a health endpoint, {host} being put in.
	Health(ctx context.Context, url string) (status int, err error)
	// Slack is nil where there is no token.
	Slack() Slack
}

// Engine is what compose runs on a host.
type Engine interface {
	Words() (docker, compose []string)
	Stacks(ctx context.Context) ([]discover.Stack, error)
	Read(ctx context.Context, s *discover.Stack) error
}

// Slack is what a configuration may name there.
type Slack interface {
	Places(ctx context.Context) ([]bot.Place, error)
	Groups(ctx context.Context) ([]bot.Group, error)
	People(ctx context.Context, called string) ([]bot.Person, error)
}

var (
	_ Engine = discover.Engine{}
	_ Slack  = bot.Choices{}
)

// FileName is the name of the file that init writes.
const FileName = "rollbackbot.env"

// Run asks, and writes the file. Its error is a *MissingError, a *AnswerError, or says what is wrong and the remedy; then no
// rollbackbot.env was written, but a host's key that a person has confirmed stays in known_hosts.
func (i *Interview) Run(ctx context.Context) error {
	i.lines = bufio.NewReader(i.In)
	file := filepath.Join(i.Folder, FileName)
	if _, err := os.Lstat(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already, and is not overwritten: write to another folder with --dir, and copy the lines of the app into it; "+
			"or move it away", file)
	}
	i.say("Rollbackbot looks at %s and writes %s. It changes nothing there.", i.Host, file)
	if i.Terminal {
		i.say("Enter alone takes what stands in [brackets].")
	}
	f := &envFile{host: i.Host, given: i.Given}
	for _, step := range []func(context.Context, *envFile) error{i.key, i.hostKeys, i.stack, i.images, i.health, i.people} {
		if err := step(ctx, f); err != nil {
			return err
		}
	}
	if len(i.missing) > 0 {
		return &MissingError{Flags: i.missing}
	}
	text, err := f.text()
	if err != nil {
		return err
	}
	if err := create(file, text); err != nil {
		return err
	}
	i.say("\nWritten: %s. Only you may read it.", file)
	if len(f.open) > 0 {
		i.say("Still to be filled in: %s. The file says where each is found; until then doctor names them.", strings.Join(f.open, ", "))
	}
	i.say("Next:\n  set -a; . %s; set +a\n  rollbackbot doctor", quoted(file))
	return nil
}

// create writes a file that must not be there yet. It may hold tokens.
func create(file, text string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// say prints a line. Much of it comes from a host: what would move a terminal's cursor doesn't reach it.
func (i *Interview) say(format string, args ...any) {
	fmt.Fprintln(i.Out, printable(fmt.Sprintf(format, args...)))
}

func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, text)
}

// key says with what the bot logs in.
func (i *Interview) key(ctx context.Context, f *envFile) error {
	f.key = i.Given.SSHKey
	if _, given := i.Answers["ssh-key"]; f.key != "" && !given {
		return nil
	}
	const agent = "agent"
	q := question{flag: "ssh-key", text: "The private key file with which the bot logs in, without a passphrase; or agent", check: func(_ context.Context, answer string) (string, error) {
		if answer == agent {
			if !i.Given.Agent {
				return "", errors.New("no agent is there (SSH_AUTH_SOCK): name a private key file")
			}
			return "", nil
		}
		path, err := filepath.Abs(answer)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", fmt.Errorf("there is no file %s that can be read: name the private key's file", answer)
		}
		return path, nil
	}}
	switch {
	case len(i.Given.Keys) > 0:
		q.preset, q.sure = i.Given.Keys[0], true
	case i.Given.Agent:
		q.preset, q.sure = agent, true
	}
	var err error
	if f.key, err = i.ask(ctx, q); err != nil {
		return err
	}
	return i.stop()
}

// hostKeys sees to it that known_hosts knows the host, and the one on the way to it.
func (i *Interview) hostKeys(ctx context.Context, f *envFile) error {
	if i.Given.Jump != "" {
		if err := i.hostKey(ctx, f, i.Given.Jump, "jump-host-key"); err != nil {
			return err
		}
	}
	return i.hostKey(ctx, f, i.Host, "host-key")
}

func (i *Interview) hostKey(ctx context.Context, f *envFile, host runbook.Host, flag string) error {
	known, err := i.World.Knows(host)
	if err != nil {
		return err
	}
	if known {
		i.say("\n%s has keys of %s; no other one is taken.", i.Given.KnownHosts, host)
		return nil
	}
	keys, err := i.World.Scan(ctx, host, f.key)
	if err != nil {
		return err
	}
	i.say("\nThe host key. %s shows these, and nobody has vouched for them yet:", host)
	for _, key := range keys {
		i.say("  %-8s %s", key.Kind, key.Fingerprint)
	}
	first := keys[0]
	i.say("Somebody in between could show their own. Compare the first one with what this prints on the host itself,\nat its console or in a session of which you are sure:\n  ssh-keygen -lf %s", first.File)
	var confirmed ssh.HostKey
	_, err = i.ask(ctx, question{flag: flag, text: "Are they the same? Type yes, or the fingerprint that you read there", check: func(_ context.Context, answer string) (string, error) {
		if confirmed = first; i.Terminal && answer == "yes" {
			return answer, nil
		}
		for _, key := range keys {
			if confirmed = key; key.Fingerprint == answer {
				return answer, nil
			}
		}
		if strings.HasPrefix(answer, "SHA256:") {
			return "", fmt.Errorf("%s shows no key with the fingerprint %s: don't go on; ask who runs the host whether its key was replaced", host, answer)
		}
		return "", errors.New("without a key that somebody has compared nobody logs in: give the fingerprint that begins with SHA256")
	}})
	if err := errors.Join(err, i.stop()); err != nil {
		return err
	}
	if err := i.World.Remember(host, confirmed); err != nil {
		return err
	}
	i.say("Written: its %s key into %s.", confirmed.Kind, i.Given.KnownHosts)
	return nil
}

// stop ends an interview that can't go on without an answer.
func (i *Interview) stop() error {
	if len(i.missing) > 0 {
		return &MissingError{Flags: i.missing}
	}
	return nil
}
