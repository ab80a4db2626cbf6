// Package githubtest has a GitHub for tests that nobody here wrote: Vercel's emulator, the npm package emulate, on Node. It
// takes any token and knows no deployments; what tests need of those they fake themselves.
package githubtest

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/parts"
)

//go:embed emulate.mjs
var script []byte

// The repositories of the emulator, and the token of their owner.
const (
	Private = "acme/shop"
	Public  = "acme/open"
	Token   = "ghp_theemulatorstoken0000"
	// OwnersEmail is the address of the account "acme", which may be assigned.
	OwnersEmail = "ana@acme.example"
)

// Emulator is a running emulator.
type Emulator struct {
	URL string // of its REST API
}

// Start starts an emulator that ends with the test. It ends the test as missing its part where the emulator isn't here.
func Start(tb testing.TB) *Emulator {
	tb.Helper()
	node, modules := parts.GitHub(tb)
	file := filepath.Join(tb.TempDir(), "emulate.mjs")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(node, file)
	cmd.Env = append(os.Environ(), "NODE_MODULES="+modules, "GITHUB_TOKEN="+Token)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the emulator of GitHub ended badly: %v: %s", err, stderr.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		tb.Fatalf("the emulator of GitHub doesn't start: %v: %s", err, stderr.String())
	}
	return &Emulator{URL: strings.TrimSpace(line)}
}

// Issue is an issue as the emulator has it.
type Issue struct {
	Number    int                      `json:"number"`
	Title     string                   `json:"title"`
	Body      string                   `json:"body"`
	URL       string                   `json:"html_url"`
	Labels    []struct{ Name string }  `json:"labels"`
	Assignees []struct{ Login string } `json:"assignees"`
}

// Issues reads all issues of a repository, by other code than the product's.
func (e *Emulator) Issues(tb testing.TB, repository string) (issues []Issue) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, fmt.Sprintf("%s/repos/%s/issues?state=all&per_page=100", e.URL, repository), nil)
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+Token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&issues); err != nil || answer.StatusCode != http.StatusOK {
		tb.Fatalf("read the issues: status %d, %v", answer.StatusCode, err)
	}
	return issues
}
