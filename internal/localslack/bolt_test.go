package localslack_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
)

// TestBolt has Slack's own client, which nobody here wrote, go from command to button to form to submission on this server.
func TestBolt(t *testing.T) {
	node, modules := parts.Bolt(t)
	s := start(t)
	seen := bolt(t, s, node, modules)
	expect(t, seen, `{"what":"started"}`)
	waitFor(t, s, "Bolt's socket", func(now *localslack.Snapshot) bool { return now.Sockets() == 1 })

	must[localslack.Ack](t)(s.Command(t.Context(), ana, team, "/rollback shop owner @lena"))
	expect(t, seen, `{"what":"command","text":"shop owner <@U2LENA|lena>","user":"U1ANA"}`)
	waitFor(t, s, "the message and the private answer", func(now *localslack.Snapshot) bool {
		return len(now.Messages(team)) == 1 && len(now.Private(ana)) == 1
	})
	request := s.Messages(team)[0]
	if request.Metadata == nil || request.Metadata.EventType != "rollback_request" {
		t.Errorf("metadata = %+v", request.Metadata)
	}

	must[localslack.Ack](t)(s.Click(t.Context(), lena, team, request.TS, "open_form"))
	expect(t, seen, `{"what":"click","value":"shop owner <@U2LENA|lena>","user":"U2LENA","metadata":"rollback_request"}`)
	var form localslack.View
	waitFor(t, s, "the form", func(now *localslack.Snapshot) (ok bool) { form, ok = now.OpenView(lena); return ok })

	values := map[string]map[string]any{"reason": {"reason": "5xx"}, "owner": {"owner": ana}}
	ack := must[localslack.Ack](t)(s.Submit(t.Context(), lena, form.ID, values))
	expect(t, seen, `{"what":"submit","reason":"5xx","owner":"U1ANA","user":"U2LENA"}`)
	if ack.Errors["reason"] != "Say a little more." {
		t.Errorf("errors = %v, want Bolt's", ack.Errors)
	}
	values["reason"]["reason"] = "5xx since the deploy"
	must[localslack.Ack](t)(s.Submit(t.Context(), lena, form.ID, values))
	expect(t, seen, `{"what":"submit","reason":"5xx since the deploy","owner":"U1ANA","user":"U2LENA"}`)
	expect(t, seen, `{"what":"history","metadata":["rb-1"]}`)
	if m := s.Messages(team)[0]; m.Text != "Rolling back: 5xx since the deploy" || !m.Edited {
		t.Errorf("message = %+v, want it updated", m)
	}
	if _, open := s.OpenView(lena); open {
		t.Error("the form is still open")
	}
}

// bolt starts the app of testdata/bolt and hands out the lines that it prints.
func bolt(t *testing.T, s *localslack.Server, node, modules string) <-chan string {
	t.Helper()
	cmd := exec.Command(node, "testdata/bolt/app.js")
	cmd.Env = append(os.Environ(), "NODE_MODULES="+modules, "SLACK_API_URL="+s.APIURL(),
		"SLACK_BOT_TOKEN="+s.Workspace().BotToken, "SLACK_APP_TOKEN="+s.Workspace().AppToken)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		for range lines { // read to the end, so that Wait may close the pipe
		}
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Bolt's stderr: %s", stderr.String())
		}
	})
	return lines
}

// expect waits for the app's next line and compares it as JSON.
func expect(t *testing.T, lines <-chan string, want string) {
	t.Helper()
	select {
	case got, ok := <-lines:
		if !ok || canonical(got) != canonical(want) {
			t.Fatalf("Bolt says %s, want %s", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("Bolt says nothing, want %s", want)
	}
}

func canonical(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	out, _ := json.Marshal(v)
	return string(out)
}
