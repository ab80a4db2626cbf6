package compose

import (
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// What Compose 5.6 and older ones print of broken files, each with hunter2 for the secret: the first part as it was printed by
// `docker compose config` on such files, the second from the sources of compose-go 1.2 to 2.9.
func TestStackProblem_QuotesNothing(t *testing.T) {
	const file, env, dir = "infra/docker-compose.prod.yml", "infra/.env", "/opt/shop/infra/.env"
	h := &appHost{app: runbook.App{Dir: "/opt/shop", ComposeFiles: []string{file}, Docker: []string{"docker"}, Compose: []string{"docker", "compose"}}, host: "deploy@vps"}
	for _, row := range []struct{ printed, what, remedy string }{
		{"error while interpolating services.api.init: failed to cast to expected type: invalid boolean: hunter2", "services.api.init in " + file, "Correct that variable"},
		{"service \"api\" depends on undefined service \"hunter2\": invalid compose project", "the service api in " + file, "services.api"},
		{"decoding failed due to the following error(s):\n\n'services[api].stop_grace_period' time: invalid duration \"hunter2\"", "services.api.stop_grace_period in " + file, "Correct that value"},
		{"decoding failed due to the following error(s):\n\n'services[api].extra_hosts' invalid additional host, missing IP: hunter2", "services.api.extra_hosts in " + file, "Correct that value"},
		{"empty compose file", file + " is no compose file", "COMPOSE_FILE"},
		{"failed to read " + dir + ": line 2: unterminated quoted value \"hunter2", dir + " has a quote that is not closed, in line 2 or before", "Close the quote"},
		{"failed to read /opt/my shop/.env: line 5: unterminated quoted value 'hunter2\nhunter2", "/opt/my shop/.env has a quote that is not closed, in line 5", "Close the quote"},
		{"failed to read " + dir + ": line 2: key cannot contain a space", dir + " line 2 has a space", "NAME=value"},
		{"failed to read " + dir + ": line 2: unexpected character \"\\\"\" in variable name \"PASS\\\"WORD=hunter2\"", dir + " line 2 has no NAME=value", "NAME=value"},
		{"failed to read " + dir + ": Invalid template: \"hunter${2\"", dir + " has a $ that begins no variable", "`grep -n '[$]' " + dir + "`, and put that value in single quotes"},
		{"failed to read " + dir + ": required variable OTHER is missing a value: hunter2", dir + " needs the variable OTHER", "Write OTHER"},
		{"failed to read " + dir + ": something of tomorrow: hunter2", dir + " has a line", "NAME=value"},
		{"env file /opt/shop/app.env not found: stat /opt/shop/app.env: no such file or directory", "there is no env file /opt/shop/app.env, which " + file, "take it out"},
		{"validating /opt/shop/a.yml: services.api.environment must be a mapping", "services.api.environment in /opt/shop/a.yml", "Correct it"},
		{"services.api.expose.[0]: unsupported expose value hunter2", "services.api.expose.[0]", "Correct it"},
		{"go-yaml load error in composer at L3.C12: unknown anchor 'hunter2' referenced", "at line 3 of " + file + " begins", "Correct it"},
		{"go-yaml load error in scanner at L4.C15: mapping values are not allowed in this context", "at line 4 of " + file + " begins", "Correct it"},
		{"failed to parse /opt/shop/a.yml: go-yaml load error in parser at L14.C5: hunter2", "at line 14 of /opt/shop/a.yml begins", "Correct it"},
		{"go-yaml load error in reader at <unknown position>: control characters are not allowed (value: 65534)", file + " is not the YAML", "Correct it"},
		{"failed to parse /opt/shop/a.yml: yaml: construct errors: line 1: line 4: mapping key \"hunter2\" already defined at line 3", "at line 4 of /opt/shop/a.yml begins", "Correct it"},
		{"go-yaml load error in parser (while parsing a block mapping) at L2.C3-L4.C4: did not find expected key", "at line 2 of " + file + " begins", "Correct it"},
		{"yaml: construct errors: line 1: cannot construct !!str `hunter2` into cli.named", "at line 1 of " + file + " begins", "Correct it"},
		{"open /opt/shop/no.yml: no such file or directory", "there is no file /opt/shop/no.yml, which " + file + " needs", "Put it there"},
		{"open /opt/shop/docker-compose.yml: permission denied", "the SSH user may not read /opt/shop/docker-compose.yml", "Let that user read it"},
		{"service \"api\" refers to undefined network hunter2: invalid compose project", "the service api", "services.api"},
		{"service \"api\" has neither an image nor a build context specified: invalid compose project", "the service api in " + file + " has no image", "`image:`"},
		{"invalid hostPort: hunter2", "it ends with status 1", "`cd /opt/shop && docker compose -f " + file + " config -q`"},
		{"error while interpolating services.api.image: required variable API_IMAGE is missing a value: ask Bob for hunter2", "services.api.image in " + file + " needs the variable API_IMAGE", "Write API_IMAGE into " + env},
		{"error while interpolating services.api.environment.PASSWORD: required variable hunter2 is missing a value", "the variables of services.api.environment.PASSWORD", "by hand"},

		{"unexpected character \"\\\"\" in variable name near \"PASSWORD=hunter2\"", env + " has a line that is no NAME=value", "NAME=value"},
		{"line 3: unterminated quoted value \"hunter2", env + " has a quote", "Close"},
		{"key cannot contain a space", env + " has a line with a space", "NAME=value"},
		{"can't separate key from value: hunter2", "it ends with status 1", "by hand"},
		{"Couldn't find env file: /opt/shop/prod.env", "the env file /opt/shop/prod.env", "ENV_FILE"},
		{"invalid interpolation format for services.api.environment.PASSWORD.\nYou may need to escape any $ with another $.\nhunter${2", "services.api.environment.PASSWORD in " + file + " has a $ that begins no variable", "Write $$ for a dollar sign there"},
		{"invalid interpolation format for services.api.environment.[].\nYou may need to escape any $ with another $.\nP=hunter${2", "services.api.environment.[] in " + file, "Write $$"},
		{"Invalid template: \"hunter${2\"", "it ends with status 1", "by hand"},
		{"required variable API_IMAGE is missing a value: hunter2", "needs the variable API_IMAGE", "Write API_IMAGE into " + env},
		{"time=\"2026-12-01T00:00:00Z\" level=warning msg=\"The \\\"hunter2\\\" variable is not set.\"\nrequired variable API_IMAGE is missing a value: hunter2", "needs the variable API_IMAGE", "Write API_IMAGE"},
		{"required variable hunter2 is missing a value", file + " needs a variable", "by hand"},
		{"yaml: line 7: did not find expected key", "at line 7 of " + file + " begins", "Correct it"},
		{"parsing /opt/shop/a.yml: yaml: line 5: mapping values are not allowed in this context", "at line 5 of /opt/shop/a.yml begins", "Correct it"},
		{"failed to parse /opt/shop/a.yml: yaml: line 3: found character that cannot start any token: hunter2", "at line 3 of /opt/shop/a.yml begins", "Correct it"},
		{"yaml: unmarshal errors:\n  line 5: cannot unmarshal !!str `hunter2` into map[string]interface {}", "at line 5 of " + file + " begins", "Correct it"},
		{"failed to parse /opt/shop/a.yml: yaml: unknown anchor 'hunter2' referenced", "/opt/shop/a.yml is not the YAML", "Correct it"},
		{"line 4: mapping key \"hunter2\" already defined at line 3", file + " line 4 has a key for the second time", "Keep one"},
		{"(root) Additional property hunter2 is not allowed", "it ends with status 1", "by hand"},
		{"services.api.ports must be a list", "services.api.ports in " + file, "Correct it"},
		{"services.api.environment.PASSWORD: unexpected type hunter2", "services.api.environment.PASSWORD", "Correct it"},
		{"services.api.environment.[0]: invalid value hunter2, expected key=value", "services.api.environment.[0]", "Correct it"},
		{"top-level object must be a mapping", file + " is no compose file", "COMPOSE_FILE"},
		{"invalid project name \"hunter2!\": must consist only of lowercase", "it ends with status 1", "by hand"},
		{"", "it ends with status 1", "by hand"},
		{strings.Repeat("hunter2 ", 100_000), "it ends with status 1", "by hand"},
	} {
		err := h.stackProblem(result{status: 1, stderr: []byte(row.printed + "\n")})
		problems := runbook.ProblemsOf(h.host, err)
		if len(problems) != 1 || !strings.Contains(problems[0].What, row.what) || !strings.Contains(problems[0].Remedy, row.remedy) {
			t.Errorf("of %.200q is said %v, want %q: %q", row.printed, err, row.what, row.remedy)
		}
		if strings.Contains(err.Error(), "hunter") || strings.ContainsAny(err.Error(), "<>") {
			t.Errorf("of %.200q is said %v", row.printed, err)
		}
	}
}
