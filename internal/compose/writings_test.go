package compose_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/compose"
	"rollbackbot/internal/compose/dotenv"
	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// here is a shell on this machine: compose reads files by itself, without an engine.
type here struct{}

func (here) Run(ctx context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	if strings.Contains(strings.Join(cmd.Env, " "), "guess=") {
		return 0, []byte("seen 0 0\n"), nil, nil // nothing runs
	}
	if !slices.Contains(cmd.Args, "compose") {
		return 0, nil, nil, nil // no image is there
	}
	run := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	run.Dir, run.Env = cmd.Dir, append(os.Environ(), cmd.Env...)
	stdout, err = run.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return failed.ExitCode(), stdout, failed.Stderr, nil
	}
	return 0, stdout, nil, err
}

// However people write an image, compose makes the planned one of the pin that is found for it, from the pins file alone.
// The variable is V; an env file may have others.
func TestPins_AsPeopleWriteImages(t *testing.T) {
	parts.Compose(t)
	image := runbook.Image{Name: "ghcr.io/acme/shop-api", Digest: runbook.Digest("sha256:" + strings.Repeat("b", 64))}
	whole, digest, tag := image.String(), string(image.Digest), "rollback@"+string(image.Digest)
	for _, row := range []struct{ name, file, env, want string }{
		{"the whole", `services: {api: {image: "${V}"}}`, "", whole},
		{"without braces", `services: {api: {image: $V}}`, "", whole},
		{"with a default", `services: {api: {image: "${V:-ghcr.io/acme/shop-api:latest}"}}`, "", whole},
		{"with a default for unset ones", `services: {api: {image: "${V-ghcr.io/acme/shop-api:latest}"}}`, "V=old\n", whole},
		{"required", `services: {api: {image: "${V:?which image}"}}`, "V=old\n", whole},
		{"as another's default", `services: {api: {image: "${A:-${V}}"}}`, "", whole},
		{"the digest", `services: {api: {image: "ghcr.io/acme/shop-api@${V:?}", restart: always}}`, "V=" + digest + "\n", digest},
		{"the tag", `services: {api: {image: "ghcr.io/acme/shop-api:${V}"}}`, "V=v42\n", tag},
		{"a registry by variable", `services: {api: {image: "${REGISTRY}/shop-api:${V}"}}`, "REGISTRY=ghcr.io/acme\nV=v42\n", tag},
		{"a registry by default", `services: {api: {image: "${REGISTRY:-ghcr.io/acme}/shop-api:${V:-latest}"}}`, "", tag},
		{"by an anchor", "x-app: &app {image: \"ghcr.io/acme/shop-api@${V:?}\"}\nservices: {api: {<<: *app, restart: always}}", "V=old\n", digest},
		{"by extends", `services: {base: {image: "ghcr.io/acme/shop-api:${V:-latest}"}, api: {extends: {service: base}}}`, "", tag},
		{"built and named", `services: {api: {build: ., image: "${V:-shop-api}"}}`, "", whole},

		{"a literal", `services: {api: {image: "ghcr.io/acme/shop-api:v42"}}`, "V=v42\n", ""},
		{"built alone", `services: {api: {build: .}}`, "", ""},
		{"a literal by an anchor", "x-app: &app {image: \"ghcr.io/acme/shop-api:v42\"}\nservices: {api: {<<: *app}}", "V=v42\n", ""},
		{"in another place", `services: {api: {image: "ghcr.io/acme/shop-api:v42", environment: {IMAGE: "${V}"}}}`, "V=v42\n", ""},
		{"behind another variable that is set", `services: {api: {image: "${A:-${V}}"}}`, "A=ghcr.io/acme/shop-api:v42\n", ""},
		{"the registry alone", `services: {api: {image: "${V}/shop-api:v42"}}`, "V=ghcr.io/acme\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			env := filepath.Join(folder, ".env")
			if err := errors.Join(os.WriteFile(filepath.Join(folder, "compose.yml"), []byte(row.file), 0o600), os.WriteFile(env, []byte(row.env), 0o600)); err != nil {
				t.Fatal(err)
			}
			app := runbook.App{
				Name: "shop", Dir: folder, ComposeFiles: []string{"compose.yml"}, Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
				Services: []runbook.Service{{Name: "api", Variable: "V"}},
			}
			hosts := &compose.Hosts{Shell: func(runbook.Host) compose.Shell { return here{} }}
			host := hosts.On(app, "deploy@one")
			planned := map[string]runbook.Image{"api": image}
			pins, err := host.Pins(t.Context(), planned)
			if row.want == "" {
				var refused *runbook.PreflightError
				if !errors.As(err, &refused) || !strings.Contains(refused.Problems[0].Remedy, "`image: ${") {
					t.Errorf("the pins are %v, %v; want a refusal with the line to write", pins, err)
				}
				return
			}
			if err != nil || len(pins) != 1 || pins[0].Value != row.want {
				t.Fatalf("the pins are %v, %v; want %s", pins, err, row.want)
			}
			if err := os.WriteFile(env, dotenv.EditPins([]byte(row.env), pins), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, from := range []runbook.PinSource{runbook.FromPlan, runbook.FromFile} {
				if err := host.Prove(t.Context(), planned, from); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
