package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rollbackbot/bot"
	"rollbackbot/runbook/runner"
)

// The bot asks for what the Runner does, and knows it not.
var _ bot.Runner = (*runner.Runner)(nil)

// house is which package may import which others of ours, by their folders. A package that isn't here fails the test.
// cmd sees all.
var house = map[string][]string{
	// The rollback. runbook itself has the words, and imports the standard library alone.
	"runbook":            nil,
	"runbook/endpoint":   {"runbook"},
	"runbook/history":    {"runbook", "internal/parallel"},
	"runbook/rate":       {"runbook", "internal/parallel", "runbook/history"},
	"runbook/preflight":  {"runbook", "internal/parallel", "runbook/endpoint", "runbook/history", "runbook/rate"},
	"runbook/postmortem": {"runbook", "internal/parallel", "runbook/history"},
	"runbook/outbox":     {"runbook", "internal/parallel"},
	"runbook/hostlock":   {"runbook", "internal/parallel"},
	"runbook/watch":      {"runbook", "internal/parallel", "runbook/endpoint", "runbook/history", "runbook/rate"},
	"runbook/runner": {
		"runbook", "internal/parallel", "runbook/endpoint", "runbook/history", "runbook/rate", "runbook/preflight", "runbook/postmortem", "runbook/outbox",
	},
	"runbook/hosttest":  {"runbook", "internal/parallel"},
	"internal/parallel": nil,

	// The adapters: each knows the rollback's words and what is kept of releases, and no other adapter.
	"bot":              adapter,
	"ssh":              adapter,
	"config":           {"runbook", "runbook/endpoint"},
	"internal/compose": append([]string{"internal/parallel", "internal/compose/dotenv"}, adapter...),
	// Parts of compose: what stands in its files, and what it runs where nothing is configured yet.
	"internal/compose/dotenv":   {"runbook"},
	"internal/compose/discover": {"runbook", "internal/compose"},
	"internal/gate":             adapter,
	"internal/github":           adapter,
	"internal/journal":          adapter,
	"internal/migration":        adapter,
	"internal/picture":          adapter,
	"internal/probe":            adapter,
	"internal/registry":         adapter,
	"internal/terminal":         adapter,

	// What is put together of adapters, for cmd.
	"internal/setup": {"runbook", "bot", "config", "internal/compose/discover", "ssh"},

	// What stands between a rollback and its hosts.
	"internal/drill": {"runbook"},

	// Hosts and Slacks for tests and the demo.
	"internal/standin":         {"runbook"},
	"internal/runbooktest":     {"runbook"},
	"internal/practice":        {"runbook", "internal/sshtest", "internal/standin", "internal/standin/overssh"},
	"internal/standin/overssh": {"runbook", "internal/standin"},
	"internal/sshtest":         {"runbook"},
	"internal/localslack":      nil,
	"internal/githubtest":      {"internal/parts"},
	"internal/realhost":        {"internal/parts"},
	"internal/realhost/app":    nil,
	"internal/hostlab":         {"internal/parts"},
	"internal/hostlab/lab":     {"internal/hostlab"},
	"internal/hostlab/shapes":  nil,
	"internal/parts":           nil,
	"scripts/shrink":           nil,
}

var adapter = []string{"runbook", "runbook/history", "runbook/postmortem"}

// fakes may use what the real adapter's home alone may.
var fakes = []string{"internal/practice", "internal/githubtest", "internal/hostlab", "internal/hostlab/lab", "internal/localslack", "internal/parts", "internal/realhost", "internal/realhost/app", "internal/sshtest"}

// homes are the dependencies that belong to one package, or to those joined by "and".
var homes = []struct{ dependency, home string }{
	{"github.com/slack-go/slack", "bot"},
	{"golang.org/x/crypto/ssh", "ssh and internal/terminal"},
	{"github.com/hiddeco/sshsig", "internal/terminal"},
	{"github.com/kelseyhightower/envconfig", "config"},
	{"modernc.org/sqlite", "internal/journal"},
	{"github.com/wasilibs/go-pgquery", "internal/migration"},
	{"github.com/pingcap/tidb/pkg/parser", "internal/migration"},
	{"github.com/prometheus/client_golang", "internal/probe"},
	{"golang.org/x/image", "internal/picture"},
	{"github.com/google/go-github", "internal/github"},
	{"github.com/spf13/cobra", "cmd/rollbackbot"},
}

// Imports point inward, package by package.
func TestImports(t *testing.T) {
	found := imports(t, "../..")
	for folder := range house {
		if _, there := found[folder]; !there {
			t.Errorf("%s was not found", folder)
		}
	}
	for folder, imported := range found {
		if _, known := house[folder]; !known && folder != "cmd/rollbackbot" {
			t.Errorf("%s has no row in the table of the house", folder)
		}
		for _, name := range imported {
			if why := forbidden(folder, name); why != "" {
				t.Errorf("%s imports %s: %s", folder, name, why)
			}
		}
	}
}

func TestImports_KnowsWhatIsForbidden(t *testing.T) {
	for _, pair := range [][2]string{
		{"runbook", "rollbackbot/bot"}, {"runbook", "github.com/rs/zerolog"}, {"runbook", "rollbackbot/internal/parallel"},
		{"runbook/history", "rollbackbot/runbook/runner"}, {"runbook/runner", "rollbackbot/internal/compose"}, {"runbook/runner", "github.com/rs/zerolog"},
		{"runbook/preflight", "rollbackbot/runbook/watch"}, {"bot", "rollbackbot/ssh"}, {"bot", "rollbackbot/config"}, {"bot", "rollbackbot/runbook/runner"},
		{"internal/compose", "rollbackbot/ssh"}, {"ssh", "rollbackbot/internal/compose"}, {"ssh", "github.com/slack-go/slack/slackevents"},
		{"internal/journal", "rollbackbot/internal/probe"}, {"internal/standin", "rollbackbot/internal/compose"}, {"internal/drill", "rollbackbot/internal/compose"},
		{"cmd/rollbackbot", "github.com/slack-go/slack"}, {"cmd/rollbackbot", "golang.org/x/crypto/ssh/agent"}, {"bot", "rollbackbot/internal/localslack"},
		{"internal/localslack", "rollbackbot/bot"}, {"internal/sshtest", "rollbackbot/internal/practice"}, {"internal/terminal", "rollbackbot/bot"},
		{"bot", "github.com/hiddeco/sshsig"},
	} {
		if forbidden(pair[0], pair[1]) == "" {
			t.Errorf("%s may import %s, and should not", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"runbook", "context"}, {"bot", "rollbackbot/runbook"}, {"ssh", "golang.org/x/crypto/ssh"}, {"cmd/rollbackbot", "rollbackbot/internal/practice"},
		{"internal/practice", "rollbackbot/internal/sshtest"}, {"internal/sshtest", "golang.org/x/crypto/ssh"}, {"internal/terminal", "golang.org/x/crypto/ssh"},
		{"config", "rollbackbot/runbook"}, {"internal/compose", "rollbackbot/internal/parallel"}, {"runbook/runner", "rollbackbot/runbook/outbox"},
	} {
		if why := forbidden(pair[0], pair[1]); why != "" {
			t.Errorf("%s may not import %s (%s), and should", pair[0], pair[1], why)
		}
	}
}

// forbidden says why a package may not import another, or "".
func forbidden(folder, imported string) string {
	standard := !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
	own, ours := strings.CutPrefix(imported, "rollbackbot/")
	switch {
	case ours && folder != "cmd/rollbackbot" && !slices.Contains(house[folder], own):
		return "the table of the house doesn't have it"
	case !ours && !standard && inRunbook(folder):
		return "the rollback imports the standard library and ours"
	}
	for _, h := range homes {
		if (imported == h.dependency || strings.HasPrefix(imported, h.dependency+"/")) && !slices.Contains(strings.Split(h.home, " and "), folder) && !slices.Contains(fakes, folder) {
			return "it belongs to " + h.home
		}
	}
	return ""
}

func inRunbook(folder string) bool {
	return folder == "runbook" || strings.HasPrefix(folder, "runbook/") || folder == "internal/parallel"
}

// hostText is what only internal/compose may say: how an engine is asked, by its command line, its files and a shell.
var hostText = regexp.MustCompile(`(?i)docker|compose|dotenv|\.env\b|\bsh -c\b|systemctl|flock|chown|\bup -d\b`)

// The rollback knows no engine's command line, no dotenv and no shell: a host is asked by the port, and internal/compose
// alone says how.
func TestRunbook_KnowsNoEngine(t *testing.T) {
	eachProgramFile(t, "../..", parser.SkipObjectResolution, func(folder string, at *token.FileSet, file *ast.File) {
		if !inRunbook(folder) && folder != "internal/standin" && folder != "internal/drill" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			text, is := n.(*ast.BasicLit)
			// A registry's name is part of an image's name, and none of the engine's.
			if is && text.Kind == token.STRING && hostText.MatchString(strings.ReplaceAll(text.Value, "docker.io", "")) {
				t.Errorf("%s: %s", at.Position(text.Pos()), text.Value)
			}
			return true
		})
	})
	if !hostText.MatchString("`docker compose up -d`") {
		t.Error("the pattern finds nothing")
	}
}

// No package grows into a room in which nothing is found any more.
func TestHouse_RoomsAreSmall(t *testing.T) {
	const mostFiles, mostLines = 40, 4600
	files, lines := map[string]int{}, map[string]int{}
	eachProgramFile(t, "../..", parser.SkipObjectResolution, func(folder string, at *token.FileSet, file *ast.File) {
		files[folder]++
		lines[folder] += at.File(file.Pos()).LineCount()
	})
	for folder := range house {
		if !inRunbook(folder) && !strings.HasPrefix(folder, "internal/compose") {
			continue
		}
		if files[folder] > mostFiles || lines[folder] > mostLines {
			t.Errorf("%s has %d files with %d lines, want at most %d with %d", folder, files[folder], lines[folder], mostFiles, mostLines)
		}
	}
}

// imports lists what each package's program files import, by its folder below root.
func imports(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	eachProgramFile(t, root, parser.ImportsOnly, func(folder string, _ *token.FileSet, file *ast.File) {
		found[folder] = append(found[folder], importsOf(t, file)...)
	})
	return found
}

func importsOf(t *testing.T, file *ast.File) (names []string) {
	t.Helper()
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// eachProgramFile parses every Go file below root that is no test.
func eachProgramFile(t *testing.T, root string, mode parser.Mode, see func(folder string, at *token.FileSet, file *ast.File)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "node_modules" || file != "." && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		at := token.NewFileSet()
		parsed, err := parser.ParseFile(at, filepath.Join(root, file), nil, mode)
		if err != nil {
			return err
		}
		see(path.Dir(file), at, parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
