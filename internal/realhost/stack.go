package realhost

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/parts"
)

// Workers is how many workers a person scaled the stack to.
const Workers = 3

// Stack is one app on the host: a folder with its compose file and environment, owned by the account that deploys
// it, and the containers of its compose project.
type Stack struct {
	// App names the stack: [a-z0-9-]+, and unique on this machine. It is also the name of its compose project.
	App string
	// Dir is its folder on the host.
	Dir string

	user   string
	home   string
	port   int
	images Images
}

// StackOption changes what NewStack makes.
type StackOption func(*stackSettings)

type stackSettings struct {
	user string
}

// OwnedBy names the account that owns the folder, by default DefaultUser.
func OwnedBy(user string) StackOption {
	return func(s *stackSettings) { s.user = user }
}

// NewStack makes a stack whose folder is there and whose containers are not: Up starts them. All of it, the bot's
// folder for the app in the account's home included, is removed with the test.
func NewStack(tb testing.TB, registry *Registry, images Images, options ...StackOption) *Stack {
	tb.Helper()
	parts.Compose(tb)
	settings := stackSettings{user: DefaultUser}
	for _, option := range options {
		option(&settings)
	}
	account := ensureUser(tb, settings.user)
	s := &Stack{
		App:    "shop-" + strings.ToLower(rand.Text()[:8]),
		Dir:    sharedFolder(tb, "rollbackbot-stack-"),
		user:   account.Username,
		home:   account.HomeDir,
		port:   freePort(tb),
		images: images,
	}
	infra := filepath.Join(s.Dir, "infra")
	if err := os.Mkdir(infra, 0o755); err != nil {
		tb.Fatal(err)
	}
	s.write(tb, s.ComposeFile(), renderComposeFile(s.App, databaseRef(registry), s.port), 0o644)
	s.write(tb, s.EnvFile(), envTemplate, 0o600)
	for _, path := range []string{s.Dir, infra, s.ComposeFile(), s.EnvFile()} {
		give(tb, account, path)
	}
	tb.Cleanup(func() { s.Down(tb) })
	return s
}

func (s *Stack) write(tb testing.TB, path, content string, mode os.FileMode) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		tb.Fatal(err)
	}
}

// ComposeFile is the path of the compose file on the host, Dir/infra/docker-compose.prod.yml.
func (s *Stack) ComposeFile() string { return filepath.Join(s.Dir, "infra", "docker-compose.prod.yml") }

// EnvFile is the path of the environment file that compose reads, beside the compose file.
func (s *Stack) EnvFile() string { return filepath.Join(s.Dir, "infra", ".env") }

// Env is the content of EnvFile.
func (s *Stack) Env(tb testing.TB) string {
	tb.Helper()
	content, err := os.ReadFile(s.EnvFile())
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

// WithoutEnv makes the stack one whose images come by `export`: there is no environment file, and the compose file has its
// other values in it.
func (s *Stack) WithoutEnv(tb testing.TB) {
	tb.Helper()
	content, err := os.ReadFile(s.ComposeFile())
	if err != nil {
		tb.Fatal(err)
	}
	literal := strings.NewReplacer("${SECRET_KEY}", SecretValue, "${DATABASE_URL}", "postgres://shop@db/shop").Replace(string(content))
	s.write(tb, s.ComposeFile(), literal, 0o644)
	if err := os.Remove(s.EnvFile()); err != nil {
		tb.Fatal(err)
	}
}

// HealthURL is the api's health endpoint, reachable from this machine.
func (s *Stack) HealthURL() string { return "http://" + loopback(s.port) + "/health" }

// Images are the references of one version by service.
func (s *Stack) Images(version string) map[string]string { return s.images[version] }

// Pin writes the images of a version into the environment file, as a person does with an editor; owner, mode and
// other lines stay.
func (s *Stack) Pin(tb testing.TB, version string) {
	tb.Helper()
	release, ok := s.images[version]
	if !ok {
		tb.Fatalf("no images of %s were built", version)
	}
	s.write(tb, s.EnvFile(), pinned(s.Env(tb), release), 0o600)
}

// Up deploys a version as the account would by hand: the pins, then the whole stack with three workers. It returns
// when compose does; whether the release is healthy is another question.
func (s *Stack) Up(tb testing.TB, version string) {
	tb.Helper()
	s.Pin(tb, version)
	s.Shell(tb, "docker compose -f infra/docker-compose.prod.yml up -d --scale worker="+strconv.Itoa(Workers))
}

// Shell runs a command line in the app's folder in a login shell of the account and gives its output. A failure
// ends the test.
func (s *Stack) Shell(tb testing.TB, line string) string {
	tb.Helper()
	return run(tb, "runuser", "--login", s.user, "--command", "cd "+s.Dir+" && "+line)
}

// tidyPatience is how long the engine may take until it removes what nothing uses any more.
const tidyPatience = time.Minute

// removed tries until the engine has removed them. A busy one still counts containers to a network for a moment after it
// has removed them.
func removed(remove, ids []string) error {
	for deadline := time.Now().Add(tidyPatience); ; time.Sleep(500 * time.Millisecond) {
		_, err := try("docker", append(remove, ids...)...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// leaked reports whether what is to be removed are networks to which no container belongs any more, and which the engine
// keeps all the same: killed in the middle of an `up`, Docker 20.10 sometimes counts a container's end of a network for
// ever, and says "has active endpoints" of a network that by its own words has none.
func leaked(remove []string, ids string) bool {
	if remove[0] != "network" {
		return false
	}
	for _, id := range lines(ids) {
		if inside, err := try("docker", "ps", "--all", "--quiet", "--filter", "network="+id); err != nil || inside != "" {
			return false
		}
	}
	return true
}

// Down removes the stack's containers, networks, volumes and the bot's folder for the app, whatever state its files
// are in. NewStack arranges for it; a test need not call it.
func (s *Stack) Down(tb testing.TB) {
	tb.Helper()
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "--all"}, []string{"rm", "--force", "--volumes"}},
		{[]string{"network", "ls"}, []string{"network", "rm"}},
		{[]string{"volume", "ls"}, []string{"volume", "rm"}},
	} {
		list := append(kind.list, "--quiet", "--filter", "label="+projectLabel+"="+s.App)
		ids, err := try("docker", list...)
		if err != nil {
			tb.Errorf("remove the stack: %v", err)
		}
		if ids == "" {
			continue
		}
		if err := removed(kind.remove, lines(ids)); err != nil && !leaked(kind.remove, ids) {
			tb.Errorf("remove the stack: %v", err)
		} else if err != nil {
			tb.Logf("the engine keeps %s, to which it counts a container that is gone", ids)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.home, ".rollbackbot", s.App)); err != nil {
		tb.Errorf("remove the bot's folder: %v", err)
	}
}
