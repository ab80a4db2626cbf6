package endpoint

import (
	"net/url"
	"slices"
	"testing"

	"rollbackbot/runbook"
)

func TestFor(t *testing.T) {
	const six, zoned, four, name = "deploy@[2001:db8::10]:2222", "deploy@[fe80::1%eth0]", "deploy@203.0.113.7", "deploy@vps-1.example.com:22"
	for _, row := range []struct {
		template string
		host     runbook.Host
		want     string
	}{
		{"http://{host}:8080/health", six, "http://[2001:db8::10]:8080/health"},
		{"http://{host}:8080/health", "deploy@[2001:db8::10]", "http://[2001:db8::10]:8080/health"},
		{"http://{host}:8080/health", four, "http://203.0.113.7:8080/health"},
		{"https://{host}", six, "https://[2001:db8::10]"},
		{"https://{host}?deep=1", name, "https://vps-1.example.com?deep=1"},
		{"http://[{host}]:8080/health", six, "http://[2001:db8::10]:8080/health"},
		{"http://[{host}]:8080/health", four, "http://203.0.113.7:8080/health"},
		{"http://{host}:8080/health", zoned, "http://[fe80::1%25eth0]:8080/health"},
		{"https://balancer/{host}/health", six, "https://balancer/2001:db8::10/health"},
		{"https://balancer/{host}/health", zoned, "https://balancer/fe80::1%25eth0/health"},
		{"https://balancer/health?of={host}&deep={host}", zoned, "https://balancer/health?of=fe80%3A%3A1%25eth0&deep=fe80%3A%3A1%25eth0"},
		{"https://{host}.internal/health", "deploy@vps-1", "https://vps-1.internal/health"},
	} {
		got := For(row.template, row.host)
		if got != row.want {
			t.Errorf("%s of %s is %s, want %s", row.template, row.host, got, row.want)
		}
		if _, err := url.Parse(got); err != nil {
			t.Error(err)
		}
	}
	parsed, err := url.Parse(For("http://{host}:8080/health", zoned))
	if err != nil || parsed.Hostname() != "fe80::1%eth0" || parsed.Port() != "8080" {
		t.Errorf("read again it is %v, %v", parsed, err)
	}
}

func TestOfPlan(t *testing.T) {
	app := runbook.App{Health: runbook.Health{URLs: []string{"https://shop.example/health", "http://{host}:8080/health"}}}
	plan := runbook.Plan{Hosts: []runbook.HostPlan{{Host: "deploy@[2001:db8::10]"}, {Host: "deploy@203.0.113.7"}}}
	want := []string{"https://shop.example/health", "http://[2001:db8::10]:8080/health", "http://203.0.113.7:8080/health"}
	if got := OfPlan(app, plan); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
