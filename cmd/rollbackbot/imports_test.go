package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fakes are hosts and Slacks for tests and the demo: they may use what the real adapter's home alone may.
var fakes = []string{"internal/demohost", "internal/githubtest", "internal/localslack", "internal/parts", "internal/realhost", "internal/realhost/app", "internal/sshtest"}

// homes are the dependencies that belong to one package, or to those joined by "and".
var homes = []struct{ dependency, home string }{
	{"github.com/slack-go/slack", "bot"},
	{"golang.org/x/crypto/ssh", "ssh and internal/terminal"},
	{"github.com/hiddeco/sshsig", "internal/terminal"},
	{"github.com/skeema/knownhosts", "ssh"},
	{"github.com/kelseyhightower/envconfig", "config"},
	{"modernc.org/sqlite", "internal/journal"},
	{"github.com/wasilibs/go-pgquery", "internal/migration"},
	{"github.com/pingcap/tidb/pkg/parser", "internal/migration"},
	{"github.com/prometheus/client_golang", "internal/probe"},
	{"golang.org/x/image", "internal/picture"},
	{"github.com/google/go-github", "internal/github"},
	{"github.com/spf13/cobra", "cmd/rollbackbot"},
}

// Imports point inward: cmd sees all, adapters see runbook and not each other, runbook sees the standard library.
func TestImports(t *testing.T) {
	house := imports(t, "../..")
	for _, folder := range []string{"runbook", "bot", "ssh", "config", "internal/gate", "internal/journal", "internal/migration", "internal/probe", "internal/terminal", "cmd/rollbackbot"} {
		if len(house[folder]) == 0 {
			t.Fatalf("%s was not found, or imports nothing", folder)
		}
	}
	for folder, imported := range house {
		for _, name := range imported {
			if why := forbidden(folder, name); why != "" {
				t.Errorf("%s imports %s: %s", folder, name, why)
			}
		}
	}
}

func TestImports_KnowsWhatIsForbidden(t *testing.T) {
	for _, pair := range [][2]string{
		{"runbook", "rollbackbot/bot"}, {"runbook", "github.com/rs/zerolog"}, {"bot", "rollbackbot/ssh"}, {"bot", "rollbackbot/config"},
		{"ssh", "github.com/slack-go/slack/slackevents"}, {"internal/journal", "rollbackbot/internal/probe"}, {"cmd/rollbackbot", "github.com/slack-go/slack"},
		{"cmd/rollbackbot", "golang.org/x/crypto/ssh/agent"}, {"bot", "rollbackbot/internal/localslack"}, {"internal/localslack", "rollbackbot/bot"},
		{"internal/sshtest", "rollbackbot/internal/demohost"}, {"internal/terminal", "rollbackbot/bot"}, {"bot", "github.com/hiddeco/sshsig"},
	} {
		if forbidden(pair[0], pair[1]) == "" {
			t.Errorf("%s may import %s, and should not", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"runbook", "context"}, {"bot", "rollbackbot/runbook"}, {"ssh", "golang.org/x/crypto/ssh"}, {"cmd/rollbackbot", "rollbackbot/internal/demohost"},
		{"internal/demohost", "rollbackbot/internal/sshtest"}, {"internal/sshtest", "golang.org/x/crypto/ssh"}, {"internal/terminal", "golang.org/x/crypto/ssh"}, {"config", "rollbackbot/runbook"},
	} {
		if why := forbidden(pair[0], pair[1]); why != "" {
			t.Errorf("%s may not import %s (%s), and should", pair[0], pair[1], why)
		}
	}
}

// forbidden says why a package of the house may not import another, or "".
func forbidden(folder, imported string) string {
	standard := !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
	own, ours := strings.CutPrefix(imported, "rollbackbot/")
	fake := slices.Contains(fakes, folder)
	switch {
	case folder == "runbook" && (ours || !standard):
		return "runbook imports the standard library only"
	case ours && folder != "cmd/rollbackbot" && own != "runbook" && !(fake && slices.Contains(fakes, own) && mayUse(folder, own)):
		return "adapters do not know each other, and only cmd imports config"
	}
	for _, h := range homes {
		if (imported == h.dependency || strings.HasPrefix(imported, h.dependency+"/")) && !slices.Contains(strings.Split(h.home, " and "), folder) && !fake {
			return "it belongs to " + h.home
		}
	}
	return ""
}

// mayUse is which fake is built on which.
func mayUse(fake, on string) bool {
	return fake == "internal/demohost" && on == "internal/sshtest" || on == "internal/parts" && (fake == "internal/realhost" || fake == "internal/githubtest")
}

// imports lists what each package's program files import, by its folder below root.
func imports(t *testing.T, root string) map[string][]string {
	t.Helper()
	house := map[string][]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "node_modules" || file != "." && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			house[path.Dir(file)] = append(house[path.Dir(file)], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return house
}
