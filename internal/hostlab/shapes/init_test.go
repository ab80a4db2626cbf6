package shapes

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/hostlab"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// forInit are shapes that differ in what init has to find out.
var forInit = []string{
	"plain", "start-two-files", "start-override", "start-env-file-flag", "start-project-flag", "start-profile-planned",
	"image-default", "image-digest", "image-tag-each", "image-registry-and-tag", "user-sudo", "profile-banner", "shell-fish",
}

// TestInit has init write the whole configuration on each generation. Then doctor and plan take it as it was written, and init has
// changed nothing on the host.
func TestInit(t *testing.T) {
	roots := parts.HostRoots(t)
	binary := realhost.Build(t, "rollbackbot/cmd/rollbackbot")
	shop := newShop(t, hostlab.Open(t))
	shapes := map[string]Shape{}
	for _, shape := range load(t) {
		shapes[shape.Name] = shape
	}
	t.Run("hosts", func(t *testing.T) {
		for _, root := range roots {
			t.Run(root.Suite, func(t *testing.T) {
				t.Parallel()
				on := newStage(t, shop, hostlab.Generation(root.Suite))
				for _, name := range sampleOf(forInit) {
					if shape := shapes[name]; shape.on(root.Suite) {
						t.Run(name, func(t *testing.T) { initiated(t, binary, on, shape) })
					}
				}
			})
		}
	})
}

// initiated runs init while v1 runs, which is well, and asks for the plan when v2 does.
func initiated(t *testing.T, binary string, on *stage, shape Shape) {
	healthy := *on
	words := slices.Clone(on.words)
	for i, word := range words {
		if well := strings.Replace(word, ".v2@", ".v1@", 1); i%2 == 0 && well != word {
			words[i+1] = on.images.Replace(well)
		}
	}
	healthy.images = strings.NewReplacer(append(words, "@ip@", on.Addr(), "_TAG=v2", "_TAG=v1")...)
	healthy.lay(t, shape)
	folder := t.TempDir()
	slack := startSlack(t)
	b := &bot{binary: binary, env: map[string]string{
		"SLACK_BOT_TOKEN": slack.Workspace().BotToken, "SLACK_APP_TOKEN": slack.Workspace().AppToken, "SLACK_API_URL": slack.APIURL(),
		"ROLLBACK_SSH_KEY": on.KeyFile(), "HOME": folder, "PATH": "/usr/bin:/bin",
	}}
	before := on.look(t)
	args := []string{"init", "deploy@" + on.Addr(), "--dir", folder, "--app", "shop", "--project", before.project(shape)}
	said, _ := b.says(t, args...)
	key := regexp.MustCompile(`ED25519\s+(SHA256:\S+)`).FindStringSubmatch(said)
	if key == nil {
		t.Fatalf("no key is shown:\n%s", said)
	}
	said, ok := b.says(t, append(args, "--host-key", key[1], "--leads", lead)...)
	if !ok {
		t.Fatalf("init:\n%s", said)
	}
	if wrong := shape.filesChanged(before, on.look(t), nil); len(wrong) > 0 {
		t.Errorf("init changed the host: %s", strings.Join(wrong, "\n"))
	}

	out, err := exec.Command("env", "-i", "sh", "-c", `set -a; . "$0"; env`, filepath.Join(folder, "rollbackbot.env")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[name] = value
	}
	// The file leaves the journal where the bot is started.
	maps.Copy(env, map[string]string{"ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(folder, "journal.db"), "HOME": folder, "PATH": "/usr/bin:/bin"})
	b.env = env
	shape.Config = map[string]string{"IMAGES": env["ROLLBACK_APP_SHOP_IMAGES"]}
	if err := b.knows(t, on.release(shape)); err != nil {
		t.Fatal(err)
	}
	doctor, _ := b.says(t, "doctor")
	for line := range strings.Lines(doctor) {
		// A bot that has seen nothing yet knows no release to go back to.
		if strings.HasPrefix(line, "WRONG") && !strings.HasPrefix(line, "WRONG: default target of ") {
			t.Errorf("doctor: %s", line)
		}
	}
	if !strings.Contains(doctor, "fine: health of ") {
		t.Errorf("doctor says nothing of health:\n%s", doctor)
	}
	on.lay(t, shape)
	if plan, ok := b.says(t, "plan", "shop", "--to", "v1"); !ok {
		t.Errorf("the plan is refused:\n%s\nby\n%s", plan, out)
	}
}
