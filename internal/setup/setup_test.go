package setup

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/compose/discover"
	"rollbackbot/runbook"
	"rollbackbot/ssh"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

// fakeWorld is a host, a Slack and a web as a test orders them.
type fakeWorld struct {
	known      []runbook.Host // hosts that known_hosts has
	keys       []ssh.HostKey
	remembered string
	engine     *fakeEngine
	well       map[string]int // what addresses answer
	slack      *fakeSlack
}

func (w *fakeWorld) Knows(host runbook.Host) (bool, error) {
	return slices.Contains(w.known, host), nil
}

func (w *fakeWorld) Scan(context.Context, runbook.Host, string) ([]ssh.HostKey, error) {
	return w.keys, nil
}

func (w *fakeWorld) Remember(host runbook.Host, key ssh.HostKey) error {
	w.remembered += string(host) + " " + key.Fingerprint + "\n"
	return nil
}

func (w *fakeWorld) Login(context.Context, runbook.Host, string) (Engine, error) {
	return w.engine, nil
}

func (w *fakeWorld) Health(_ context.Context, url string) (int, error) {
	if status := w.well[url]; status > 0 {
		return status, nil
	}
	return 0, errors.New("connection refused")
}

func (w *fakeWorld) Slack() Slack {
	if w.slack == nil {
		return nil
	}
	return w.slack
}

type fakeEngine struct {
	docker, compose []string
	stacks          []discover.Stack
	read            []string
}

func (e *fakeEngine) Words() (docker, compose []string) { return e.docker, e.compose }

func (e *fakeEngine) Stacks(context.Context) ([]discover.Stack, error) { return e.stacks, nil }

func (e *fakeEngine) Read(_ context.Context, s *discover.Stack) error {
	e.read = append(e.read, s.Project)
	return nil
}

type fakeSlack struct {
	places []bot.Place
	groups []bot.Group
	people map[string][]bot.Person
	err    error
}

func (s *fakeSlack) Places(context.Context) ([]bot.Place, error) { return s.places, s.err }
func (s *fakeSlack) Groups(context.Context) ([]bot.Group, error) { return s.groups, s.err }
func (s *fakeSlack) People(_ context.Context, called string) ([]bot.Person, error) {
	return s.people[called], s.err
}

// shop is a stack with one of each kind.
func shop() discover.Stack {
	return discover.Stack{
		Project: "shop", Dir: "/opt/shop", Files: []string{"docker-compose.yml", "docker-compose.prod.yml"}, Pinned: true,
		Services: []discover.StackService{
			{Name: "db", Image: "postgres:15", Running: true, Restarts: true},
			{Name: "migrate", Image: "ghcr.io/acme/shop/api:v42", Variable: "API_IMAGE", Form: discover.Reference},
			{Name: "api", Image: "ghcr.io/acme/shop/api:v42", Variable: "API_IMAGE", Form: discover.Reference, Running: true, Restarts: true,
				Health: discover.HealthPage{Scheme: "http", Port: 8080, Path: "/up"}, Ports: []discover.Port{{IP: "127.0.0.1", Published: 8080, Target: 8080}}},
			{Name: "worker", Image: "ghcr.io/acme/shop/worker:v42", Variable: "TAG", Form: discover.Tag, Running: true, Restarts: true},
			{Name: "scheduler", Image: "ghcr.io/acme/shop/worker:v42", Variable: "TAG", Form: discover.Tag, Running: true, Restarts: true, Profiles: []string{"jobs"}},
			{Name: "web", Image: "ghcr.io/acme/shop/web@sha256:0", Variable: "WEB_DIGEST", Form: discover.Digest, Running: true, Restarts: true},
			{Name: "proxy", Image: "caddy:2", Running: true, Restarts: true, Ports: []discover.Port{{Published: 80, Target: 80}, {Published: 443, Target: 443}}},
		},
	}
}

func blog() discover.Stack {
	return discover.Stack{Project: "my_blog", Dir: "/opt/blog", Files: []string{"compose.yml"}, Pinned: true, Services: []discover.StackService{
		{Name: "blog", Image: "ghost:5", Variable: "BLOG_IMAGE", Form: discover.Reference, Running: true, Restarts: true, Ports: []discover.Port{{Published: 8081, Target: 80}}},
	}}
}

// acme is a world in which all is as it should be.
func acme() *fakeWorld {
	return &fakeWorld{
		keys: []ssh.HostKey{
			{Kind: "ED25519", Fingerprint: "SHA256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", File: "/etc/ssh/ssh_host_ed25519_key.pub"},
			{Kind: "RSA", Fingerprint: "SHA256:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", File: "/etc/ssh/ssh_host_rsa_key.pub"},
		},
		engine: &fakeEngine{docker: []string{"docker"}, compose: []string{"docker", "compose"}, stacks: []discover.Stack{blog(), shop()}},
		well:   map[string]int{"http://{host}/up": 301, "https://{host}/up": 200, "http://{host}:8081/": 200},
		slack: &fakeSlack{
			places: []bot.Place{{ID: "C0PARTNERS", Name: "partners", Shared: true}, {ID: "C0SHOP", Name: "shop"}, {ID: "C0OPS", Name: "ops"}},
			groups: []bot.Group{{ID: "S0LEADS", Handle: "engineering-leads"}},
			people: map[string][]bot.Person{"Lena": {{ID: "U0LENA", Name: "Lena"}}, "Alex": {{ID: "U0ALEX1", Name: "Alex"}, {ID: "U0ALEX2", Name: "Alex"}}},
		},
	}
}

// interview is one whose file goes into a folder of the test's own.
func interview(t *testing.T, w *fakeWorld, typed string, answers map[string]string) (*Interview, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	return &Interview{
		Host: "deploy@your-vps", Answers: answers, Terminal: typed != "", In: strings.NewReader(typed), Out: &out, Folder: t.TempDir(),
		Given: Given{BotToken: "xoxb-1", AppToken: "xapp-1", SSHKey: "/etc/rollbackbot/id_ed25519", KnownHosts: "/etc/rollbackbot/known_hosts"}, World: w,
	}, &out
}

func run(t *testing.T, i *Interview) (file string) {
	t.Helper()
	if err := i.Run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, i.Out)
	}
	return read(t, filepath.Join(i.Folder, FileName))
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, path); got != want {
		t.Errorf("%s is\n%s\nwant\n%s\n(go test ./internal/setup -update rewrites it)", name, got, want)
	}
}

func TestInterview_InATerminal(t *testing.T) {
	w := acme()
	answers := "maybe\nyes\nshop\n\n\nnowhere\n#shop\n@engineering-leads, Alex\nengineering-leads,Lena\n"
	i, out := interview(t, w, answers, nil)
	// What is typed stands in the golden as a terminal shows it.
	i.In = &echo{in: strings.NewReader(answers), out: out}
	file := run(t, i)
	golden(t, "terminal.txt", strings.ReplaceAll(out.String(), i.Folder, "/home/ana"))
	golden(t, "terminal.env", file)
	if w.remembered != "deploy@your-vps SHA256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\n" {
		t.Errorf("remembered %q", w.remembered)
	}
	if got := w.engine.read; !slices.Equal(got, []string{"shop"}) {
		t.Errorf("read %q, want the chosen project alone", got)
	}
	if info, err := os.Stat(filepath.Join(i.Folder, FileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: the file may hold tokens", info, err)
	}
}

// echo types one line at a time, and shows it as a terminal does.
type echo struct {
	in  io.Reader
	out io.Writer
}

func (e *echo) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if _, err := e.in.Read(p[n : n+1]); err != nil {
			return n, err
		}
		if n++; p[n-1] == '\n' {
			break
		}
	}
	e.out.Write(p[:n])
	return n, nil
}

var allFlags = map[string]string{
	"app": "shop", "host-key": "SHA256:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", "services": "web,api", "health-url": "https://shop.example.com/health",
	"channel": "ops", "leads": "U0LENA",
}

func with(changes map[string]string) map[string]string {
	answers := map[string]string{}
	for flag, answer := range allFlags {
		answers[flag] = answer
	}
	for flag, answer := range changes {
		if answers[flag] = answer; answer == "\x00" {
			delete(answers, flag)
		}
	}
	return answers
}

func TestInterview_FlagsAreTheAnswers(t *testing.T) {
	w := acme()
	w.slack.people["U0LENA"] = []bot.Person{{ID: "U0LENA", Name: "Lena"}}
	i, out := interview(t, w, "", with(nil))
	golden(t, "flags.env", run(t, i))
	if w.remembered != "deploy@your-vps "+allFlags["host-key"]+"\n" {
		t.Errorf("remembered %q", w.remembered)
	}
	if strings.Contains(out.String(), "Type yes") {
		t.Errorf("it asks nobody:\n%s", out)
	}
}

// Without a terminal, what has one sure answer is taken, and the flags of all else are named.
func TestInterview_MissingFlags(t *testing.T) {
	for name, test := range map[string]struct {
		change map[string]string
		world  func(*fakeWorld)
		want   []string
	}{
		"host key":             {map[string]string{"host-key": "\x00"}, nil, []string{"host-key"}},
		"app":                  {map[string]string{"app": "\x00"}, nil, []string{"project"}},
		"channel and leads":    {map[string]string{"channel": "\x00", "leads": "\x00"}, nil, []string{"channel", "leads"}},
		"health":               {map[string]string{"health-url": "\x00"}, func(w *fakeWorld) { w.well = nil }, []string{"health-url"}},
		"a proven health URL":  {map[string]string{"health-url": "\x00"}, nil, nil},
		"services":             {map[string]string{"services": "\x00"}, nil, nil},
		"one channel alone":    {map[string]string{"channel": "\x00"}, func(w *fakeWorld) { w.slack.places = w.slack.places[:2] }, nil},
		"one project alone":    {map[string]string{"app": "\x00"}, func(w *fakeWorld) { w.engine.stacks = w.engine.stacks[1:] }, nil},
		"a host that is known": {map[string]string{"host-key": "\x00"}, func(w *fakeWorld) { w.known = []runbook.Host{"deploy@your-vps"} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := acme()
			w.slack.people["U0LENA"] = []bot.Person{{ID: "U0LENA", Name: "Lena"}}
			if test.world != nil {
				test.world(w)
			}
			i, out := interview(t, w, "", with(test.change))
			err := i.Run(t.Context())
			var missing *MissingError
			errors.As(err, &missing)
			switch {
			case test.want == nil && err != nil:
				t.Errorf("got %v\n%s", err, out)
			case test.want != nil && (missing == nil || !slices.Equal(missing.Flags, test.want)):
				t.Errorf("got %v, want the flags %v\n%s", err, test.want, out)
			}
			_, err = os.Stat(filepath.Join(i.Folder, FileName))
			if wrote := err == nil; wrote != (test.want == nil) {
				t.Errorf("the file is there: %v", wrote)
			}
		})
	}
}

// Each wrong answer says why, and what to do.
func TestInterview_WrongAnswers(t *testing.T) {
	for _, test := range []struct{ flag, answer, want string }{
		{"host-key", "SHA256:other", "shows no key with the fingerprint SHA256:other: don't go on"},
		{"host-key", "yes", "give the fingerprint that begins with SHA256"},
		{"app", "store", `compose runs no project "store" there, but my_blog, shop: name one of them with --project`},
		{"project", "store", "it runs my_blog, shop"},
		{"services", "api,db", "no variable gives the image of db"},
		{"services", "api,nobody", `no container of a service "nobody"`},
		{"services", "api,migrate", "migrate runs once and ends"},
		{"services", "api,api", "api is there twice"},
		{"services", "api,worker", "scheduler takes its image from TAG as well"},
		{"services", ",", "no service is named"},
		{"health-url", "shop.example.com", "no http or https address"},
		{"health-url", "https://u:p@shop.example.com", "leave out what stands before the @"},
		{"health-url", "https://{hosts}/", "braces around something else"},
		{"channel", "partners", "shared with another organisation"},
		{"leads", "Alex", "2 people are called \"Alex\" (U0ALEX1, U0ALEX2)"},
		{"leads", "Nobody", "nobody who counts is called \"Nobody\""},
		{"ssh-key", "/nowhere/id", "there is no file /nowhere/id"},
		{"ssh-key", "agent", "no agent is there"},
	} {
		i, out := interview(t, acme(), "", with(map[string]string{test.flag: test.answer}))
		err := i.Run(t.Context())
		var answer *AnswerError
		if !errors.As(err, &answer) || answer.Flag != test.flag || !strings.Contains(err.Error(), test.want) {
			t.Errorf("--%s %s: got %v, want …%s…\n%s", test.flag, test.answer, err, test.want, out)
		}
	}
}

func TestInterview_AnAppThatMayNotBeCalledSo(t *testing.T) {
	w := acme()
	w.engine.stacks[1].Project = "status"
	i, _ := interview(t, w, "yes\n2\nstatus\nshop\n\n\nshop\nLena\n", nil)
	if file := run(t, i); !strings.Contains(file, "ROLLBACK_APPS=shop\n") || !strings.Contains(file, "compose's project status") {
		t.Errorf("got\n%s", file)
	}
	i, _ = interview(t, acme(), "", with(map[string]string{"app": "my-blog", "services": "\x00", "leads": "", "health-url": "\x00"}))
	if file := run(t, i); !strings.Contains(file, "ROLLBACK_APPS=my-blog\n") || !strings.Contains(file, "ROLLBACK_APP_MY_BLOG_HEALTH_URL=http://{host}:8081/\n") {
		t.Errorf("got\n%s", file)
	}
}

// Nothing that a rollback could take back is refused, with the very lines to write.
func TestInterview_OnlyLiteralImages(t *testing.T) {
	w := acme()
	w.engine.stacks = []discover.Stack{{Project: "shop", Dir: "/opt/shop", Files: []string{"infra/compose.yml"}, Services: []discover.StackService{
		{Name: "db", Image: "postgres:15", Running: true}, {Name: "web-app", Image: "ghcr.io/acme/web:v1", Running: true},
	}}}
	i, out := interview(t, w, "yes\n\n", nil)
	err := i.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "nothing to roll back") {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"image: ${WEB_APP_IMAGE}\n", "WEB_APP_IMAGE=ghcr.io/acme/web:v1\n", "/opt/shop/infra/.env; deploy, and run this again", "postgres:15, left out"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
}

func TestInterview_NothingRuns(t *testing.T) {
	w := acme()
	w.engine.stacks = nil
	i, _ := interview(t, w, "", with(nil))
	if err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no container that compose started: deploy there once") {
		t.Errorf("got %v", err)
	}
}

func TestInterview_NeverOverwrites(t *testing.T) {
	w := acme()
	i, out := interview(t, w, "", with(nil))
	path := filepath.Join(i.Folder, FileName)
	if err := os.WriteFile(path, []byte("OURS=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := i.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is there already, and is not overwritten: write to another folder with --dir") || out.Len() > 0 || w.remembered != "" {
		t.Errorf("got %v, and it said %q: nobody answers ten questions for that", err, out)
	}
	if got := read(t, path); got != "OURS=1\n" {
		t.Errorf("the file is now %q", got)
	}
}

// Without a token the IDs come from flags or later, and the file says where they are found.
func TestInterview_WithoutSlack(t *testing.T) {
	w := acme()
	w.slack = nil
	i, out := interview(t, w, "", with(map[string]string{"channel": "\x00", "leads": "\x00"}))
	i.Given.BotToken, i.Given.AppToken = "", ""
	golden(t, "noslack.env", run(t, i))
	if want := "Still to be filled in: SLACK_BOT_TOKEN, SLACK_APP_TOKEN, ROLLBACK_CHANNEL, ROLLBACK_LEADS."; !strings.Contains(out.String(), want) {
		t.Errorf("doesn't say %q:\n%s", want, out)
	}
	i, _ = interview(t, w, "", with(map[string]string{"channel": "C0SHOP", "leads": "U0LENA,S0LEADS"}))
	if file := run(t, i); !strings.Contains(file, "ROLLBACK_CHANNEL=C0SHOP\n") || !strings.Contains(file, "ROLLBACK_LEADS=U0LENA,S0LEADS\n") {
		t.Errorf("got\n%s", file)
	}
	i, _ = interview(t, w, "", with(map[string]string{"channel": "shop"}))
	if err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no name can be looked up: give the channel's ID") {
		t.Errorf("got %v", err)
	}
}

// A Slack that refuses the token holds nothing up: doctor says the same.
func TestInterview_SlackRefuses(t *testing.T) {
	w := acme()
	w.slack.err = errors.New("invalid_auth: give the token again")
	i, out := interview(t, w, "", with(map[string]string{"channel": "\x00", "leads": "\x00"}))
	if file := run(t, i); !strings.Contains(file, "ROLLBACK_CHANNEL=\n") || !strings.Contains(out.String(), "It can't be asked: invalid_auth: give the token again.\n") {
		t.Errorf("got\n%s\n%s", file, out)
	}
}

// The jump host's key is compared first: nobody passes through a stranger.
func TestInterview_JumpHost(t *testing.T) {
	w := acme()
	i, _ := interview(t, w, "", with(map[string]string{"jump-host-key": "SHA256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "leads": ""}))
	i.Given.Jump = "hop@jump:2222"
	if file := run(t, i); !strings.Contains(file, "ROLLBACK_SSH_JUMP=hop@jump:2222\n") {
		t.Errorf("got\n%s", file)
	}
	if !strings.HasPrefix(w.remembered, "hop@jump:2222 SHA256:eee") || !strings.Contains(w.remembered, "\ndeploy@your-vps SHA256:rrr") {
		t.Errorf("remembered %q", w.remembered)
	}
}

// What a host calls itself moves no cursor and makes no line of its own.
func TestInterview_HostileNames(t *testing.T) {
	w := acme()
	w.engine.stacks[1].Dir = "/opt/\x1b[2Jshop\u009b\nEVIL=1"
	i, out := interview(t, w, "", with(map[string]string{"leads": ""}))
	err := i.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "which no environment file holds") {
		t.Errorf("got %v", err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b") {
		t.Errorf("got %q", out)
	}
}

func TestInterview_EndsWithoutAnAnswer(t *testing.T) {
	i, _ := interview(t, acme(), "maybe\n", nil)
	if err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer came") {
		t.Errorf("got %v", err)
	}
	hung, _ := io.Pipe()
	i, _ = interview(t, acme(), "x", nil)
	i.In = hung
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v: Ctrl-C ends a question", err)
	}
}

// The file is read alike by a shell, by systemd's and by docker's rules, and the bot has no problem with it.
func TestEnvFile_ReadByAll(t *testing.T) {
	w := acme()
	w.engine.docker, w.engine.compose = []string{"sudo", "-n", "docker"}, []string{"sudo", "-n", "docker", "compose"}
	w.engine.stacks[1].Dir = "/opt/the shop"
	w.engine.stacks[1].EnvFile = "/opt/the shop/prod.env"
	w.engine.stacks[1].Files = []string{"docker-compose.yml"}
	w.slack.people["U0LENA"] = []bot.Person{{ID: "U0LENA", Name: "Lena"}}
	i, _ := interview(t, w, "", with(nil))
	folder := t.TempDir()
	i.Given.SSHKey, i.Given.KnownHosts = filepath.Join(folder, "key"), filepath.Join(folder, "known_hosts")
	for _, file := range []string{i.Given.SSHKey, i.Given.KnownHosts} {
		if err := os.WriteFile(file, []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := run(t, i)

	byDocker := map[string]string{} // https://docs.docker.com/reference/cli/docker/container/run/#env: no quotes, no comments after a value
	for _, line := range strings.Split(strings.TrimSpace(file), "\n") {
		if name, value, found := strings.Cut(line, "="); found && !strings.HasPrefix(line, "#") {
			byDocker[name] = value
		}
	}
	out, err := exec.Command("env", "-i", "sh", "-c", `set -a; . "$0"; env`, filepath.Join(i.Folder, FileName)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	byShell := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if name, value, _ := strings.Cut(line, "="); name != "PWD" && name != "_" && name != "SHLVL" && name != "OLDPWD" {
			byShell[name] = value
		}
	}
	if len(byDocker) != len(byShell) {
		t.Errorf("docker reads %d variables, a shell %d", len(byDocker), len(byShell))
	}
	for who, env := range map[string]map[string]string{"docker": byDocker, "a shell": byShell} {
		t.Run(who, func(t *testing.T) {
			for name, value := range env {
				t.Setenv(name, value)
			}
			cfg, err := config.Load(config.Everything)
			if err != nil {
				t.Fatalf("%v\n%s", err, file)
			}
			app := cfg.Apps[0]
			if app.Dir != "/opt/the shop" || app.EnvFile != "/opt/the shop/prod.env" || !slices.Equal(app.Docker, []string{"sudo", "-n", "docker"}) || len(app.Services) != 2 {
				t.Errorf("got %+v", app)
			}
		})
	}
}
