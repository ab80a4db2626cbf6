package bot_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/slack-go/slack"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
)

func TestManifest_PassesSlacksSchema(t *testing.T) {
	path := parts.ManifestSchema(t)
	compiler := jsonschema.NewCompiler()
	compiler.UseRegexpEngine(compilePattern)
	schema, err := compiler.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := jsonschema.UnmarshalJSON(bytes.NewReader(bot.Manifest()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(manifest); err != nil {
		t.Errorf("Slack's schema refuses the manifest: %v", err)
	}
	broken := bytes.Replace(bot.Manifest(), []byte(`"/rollback"`), []byte(`"rollback"`), 1)
	if manifest, err = jsonschema.UnmarshalJSON(bytes.NewReader(broken)); err != nil {
		t.Fatal(err)
	}
	if schema.Validate(manifest) == nil {
		t.Error("the schema takes a command without its slash, so it proves nothing")
	}
}

// compilePattern reads the schema's patterns. Those that only JavaScript can read, with a look ahead, are about domains,
// of which the manifest names none: whatever they are asked about fails the test.
func compilePattern(pattern string) (jsonschema.Regexp, error) {
	if strings.Contains(pattern, "(?!") {
		return matchesNothing(pattern), nil
	}
	return regexp.Compile(pattern)
}

type matchesNothing string

func (m matchesNothing) MatchString(string) bool { return false }
func (m matchesNothing) String() string          { return string(m) }

func TestManifest_HasWhatTheBotNeeds(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewReader(bot.Manifest()))
	decoder.DisallowUnknownFields()
	var m slack.Manifest
	if err := decoder.Decode(&m); err != nil {
		t.Fatal(err)
	}
	if got := m.OAuthConfig.Scopes.Bot; !slices.Equal(got, localslack.DefaultScopes) {
		t.Errorf("scopes = %q, want %q", got, localslack.DefaultScopes)
	}
	if len(m.Features.SlashCommands) != 1 || m.Features.SlashCommands[0].Command != "/rollback" ||
		!m.Features.SlashCommands[0].ShouldEscape || m.Features.SlashCommands[0].Url != "" || m.Features.SlashCommands[0].UsageHint == "" {
		t.Errorf("commands = %+v", m.Features.SlashCommands)
	}
	if !m.Settings.SocketModeEnabled || !m.Settings.Interactivity.IsEnabled || !m.Features.AppHome.HomeTabEnabled || !m.Features.AppHome.MessagesTabEnabled {
		t.Errorf("settings = %+v, app home = %+v", m.Settings, m.Features.AppHome)
	}
	if got := m.Settings.EventSubscriptions.BotEvents; !slices.Equal(got, []string{"app_home_opened"}) {
		t.Errorf("events = %q", got)
	}
	if bytes.Contains(bot.Manifest(), []byte("url")) {
		t.Error("the manifest has a URL; Socket Mode needs none")
	}
}
