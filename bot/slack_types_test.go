package bot

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rollbackbot/internal/parts"
)

// TestSlackTypes has Slack's own types, @slack/types, judge every message, Home tab and form in testdata, by TypeScript's
// compiler: nobody here wrote either. What they say of lengths are comments; the local Slack refuses those.
func TestSlackTypes(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	source.WriteString(`import type { HomeView, KnownBlock } from "@slack/types";` + "\n")
	seen := map[string]int{}
	for _, file := range goldenFiles(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Base(filepath.Dir(file))
		seen[folder]++
		switch folder {
		case "homes":
			fmt.Fprintf(&source, "const h%d: HomeView = %s;\n", seen[folder], content)
		case "forms":
			fmt.Fprintf(&source, "const f%d: KnownBlock[] = %s;\n", seen[folder], content)
		default:
			fmt.Fprintf(&source, "const m%d: KnownBlock[] = %s;\n", seen[folder], goldenBlocks(t, file, content))
		}
	}
	if seen["messages"] < 80 || seen["homes"] < 8 || seen["forms"] < 4 {
		t.Errorf("only %v were found", seen)
	}
	if complaints := typecheck(t, source.String()); complaints != "" {
		t.Errorf("Slack's types don't take it:\n%s", complaints)
	}
	t.Logf("%v are as Slack's types have them", seen)
}

// The types do judge: what Slack would refuse doesn't pass, whatever is right beside it.
func TestSlackTypes_KnowWhatIsWrong(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	source.WriteString(`import type { KnownBlock } from "@slack/types";` + "\n")
	wrong := []struct{ name, block string }{
		{"a green button", `{"type":"actions","elements":[{"type":"button","style":"green","text":{"type":"plain_text","text":"x"}}]}`},
		{"mrkdwn on a button", `{"type":"actions","elements":[{"type":"button","text":{"type":"mrkdwn","text":"x"}}]}`},
		{"a block that isn't one", `{"type":"sektion","text":{"type":"plain_text","text":"x"}}`},
		{"a list of something else", `{"type":"rich_text","elements":[{"type":"rich_text_list","style":"dashed","elements":[]}]}`},
	}
	for i, w := range wrong {
		fmt.Fprintf(&source, "export const m%d: KnownBlock[] = [%s];\n", i, w.block)
	}
	source.WriteString(`export const right: KnownBlock[] = [{"type":"divider"}];` + "\n")
	complaints := typecheck(t, source.String())
	for i, w := range wrong {
		if !strings.Contains(complaints, fmt.Sprintf("goldens.ts(%d,", i+2)) {
			t.Errorf("%s passes:\n%s", w.name, complaints)
		}
	}
	if strings.Contains(complaints, fmt.Sprintf("goldens.ts(%d,", len(wrong)+2)) {
		t.Errorf("what is right doesn't pass:\n%s", complaints)
	}
}

func goldenFiles(t *testing.T) (files []string) {
	t.Helper()
	for _, folder := range []string{"messages", "homes", "forms"} {
		found, err := filepath.Glob(filepath.Join("testdata", folder, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func goldenBlocks(t *testing.T, file string, content []byte) string {
	t.Helper()
	var message struct{ Blocks json.RawMessage }
	if err := json.Unmarshal(content, &message); err != nil || len(message.Blocks) == 0 {
		t.Fatalf("%s: %v, blocks %q", file, err, message.Blocks)
	}
	return string(message.Blocks)
}

var inFolder = regexp.MustCompile(`(?m)^.*goldens\.ts`)

// typecheck gives the compiler's complaints; "": none.
func typecheck(t *testing.T, source string) string {
	t.Helper()
	node, modules := parts.SlackTypes(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "goldens.ts"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	const settings = `{"compilerOptions": {"noEmit": true, "strict": true, "skipLibCheck": true, "types": [], "moduleResolution": "bundler", "module": "esnext", "target": "es2022"}, "files": ["goldens.ts"]}`
	if err := os.WriteFile(filepath.Join(folder, "tsconfig.json"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	tsc := exec.CommandContext(t.Context(), node, filepath.Join(modules, "typescript", "bin", "tsc"), "-p", ".")
	tsc.Dir = folder
	out, err := tsc.CombinedOutput()
	complaints := inFolder.ReplaceAllString(strings.TrimSpace(string(out)), "goldens.ts")
	if err != nil && !strings.HasPrefix(complaints, "goldens.ts(") {
		t.Fatalf("the compiler: %v\n%s", err, complaints)
	}
	return complaints
}
