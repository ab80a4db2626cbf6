package shapes

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/hostlab"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// TestGenerations rolls one app back on a host of each generation. The last of them is lost while the first is replaced; when it
// is there again, retry finishes what is missing, and every host runs v1 as it should.
func TestGenerations(t *testing.T) {
	roots := parts.HostRoots(t)
	binary := realhost.Build(t, "rollbackbot/cmd/rollbackbot")
	shop := newShop(t, hostlab.Open(t))
	all := load(t)
	shape := all[slices.IndexFunc(all, func(s Shape) bool { return s.Name == "plain" })]
	var stages []*stage
	var targets []string
	var known strings.Builder
	for _, root := range roots {
		on := newStage(t, shop, hostlab.Generation(root.Suite))
		on.lay(t, shape)
		lines, err := os.ReadFile(on.KnownHosts())
		if err != nil {
			t.Fatal(err)
		}
		known.Write(lines)
		stages, targets = append(stages, on), append(targets, "deploy@"+on.Addr())
	}
	b, err := newBot(t, binary, stages[0], shape)
	if err != nil {
		t.Fatal(err)
	}
	b.env["ROLLBACK_SSH_KNOWN_HOSTS"] = filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(b.env["ROLLBACK_SSH_KNOWN_HOSTS"], []byte(known.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.configure(map[string]string{"HOSTS": strings.Join(targets, ","), "HEALTH_URL": "http://{host}:8080/health"})
	before := make([]seen, len(stages))
	for i, on := range stages {
		before[i] = on.look(t)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := b.command(ctx, "run", "shop", "--as", lead, "--sign-with", b.key, "to", "v1", "because", "v2", "answers", "503")
	screen := &screen{}
	cmd.Stdout, cmd.Stderr = screen, screen
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	do := func(when, typed string, act func(testing.TB)) {
		t.Helper()
		for shown := regexp.MustCompile(when); !shown.MatchString(screen.text()); time.Sleep(20 * time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("%s is never shown:\n%s", when, screen.text())
			}
		}
		act(t)
		if _, err := io.WriteString(in, typed); err != nil {
			t.Log(err) // what the screen shows says more
		}
	}
	nothing := func(testing.TB) {}
	do(`waiting for an engineering lead`, "signoff_none\n", nothing)
	do(`Deploy the previous image …`, "", last.Unplug)
	do(`(?s)Deploy the previous image ….*waiting for an answer until .*`+regexp.QuoteMeta(last.Addr()), "retry\n", last.Plug)
	do(`waiting for an answer until .*error rate`, "error_rate_baseline\n", nothing)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the rollback ends with %v:\n%s", err, screen.text())
	}
	for i, on := range stages {
		if wrong := shape.rolledBack(before[i], on.look(t), []string{appFolder + "/infra/.env"}); len(wrong) > 0 {
			t.Errorf("%s: %s", on.Name(), strings.Join(wrong, "\n"))
		}
	}
	if t.Failed() || testing.Verbose() {
		t.Log(screen.text())
	}
}
