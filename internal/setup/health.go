package setup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rollbackbot/internal/compose/discover"
)

// candidate is an address at which a release may answer whether it is well.
type candidate struct {
	url string
	own bool // the service's own health check asks this page
}

// usualPages are asked where no health check names one.
var usualPages = []string{"/health", "/healthz", "/"}

// maxCandidates bounds the requests that are made before a person is asked.
const maxCandidates = 12

// health proposes what answered 200 a moment ago.
func (i *Interview) health(ctx context.Context, f *envFile) error {
	q := question{flag: "health-url", text: "The address that answers 200 when the release is well, as people reach it", check: func(ctx context.Context, answer string) (string, error) {
		if err := checkURL(answer); err != nil {
			return "", err
		}
		i.say("%s: %s.", answer, i.try(ctx, answer))
		return answer, nil
	}}
	i.say("\nHealth. {host} stands for each host in turn.")
	if _, given := i.Answers[q.flag]; !given {
		found, hidden := f.candidates()
		for _, h := range hidden {
			i.say("%s", h)
		}
		for _, c := range found[:min(len(found), maxCandidates)] {
			status, err := i.World.Health(ctx, c.url)
			if err == nil && status == 200 {
				q.preset, q.sure = c.url, true
				break
			}
			if c.own {
				i.say("%s, which its own health check asks: %s.", c.url, i.answered(status, err))
				if q.preset == "" {
					q.preset = c.url
				}
			}
		}
		if !q.sure {
			i.say("Nothing that is published there answered 200 from this machine.")
		}
	}
	var err error
	f.health, err = i.ask(ctx, q)
	return err
}

func (i *Interview) try(ctx context.Context, address string) string {
	return i.answered(i.World.Health(ctx, address))
}

func (i *Interview) answered(status int, err error) string {
	switch {
	case err != nil:
		return "no answer from this machine"
	case status == 200:
		return "answered 200 just now"
	}
	return fmt.Sprintf("answered %d just now, and a rollback counts 200 alone", status)
}

func checkURL(text string) error {
	parsed, err := url.Parse(strings.ReplaceAll(text, "{host}", "host"))
	switch {
	case strings.ContainsAny(strings.ReplaceAll(text, "{host}", ""), "{}, '\"\\$"):
		return errors.New("it holds spaces, commas, quotes, $ or braces around something else than {host}: write one plain address")
	case err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "":
		return errors.New("that is no http or https address: write it as in https://api.example.com/health")
	case parsed.User != nil:
		return errors.New("it holds a user name or password, and people will see it: leave out what stands before the @")
	}
	return nil
}

// candidates are addresses to try, the likeliest first, and what to know about ports that can't be reached. A proxy's ports
// lead to the same pages as the services behind it.
func (f *envFile) candidates() (found []candidate, hidden []string) {
	services := slices.Clone(f.services)
	for _, s := range f.stack.Services {
		if !slices.ContainsFunc(services, func(other discover.StackService) bool { return other.Name == s.Name }) && !isStore(s.Image) {
			services = append(services, s)
		}
	}
	var checked []string // pages of health checks
	for _, s := range services {
		if s.Health.Path != "" && !slices.Contains(checked, s.Health.Path) {
			checked = append(checked, s.Health.Path)
		}
	}
	var guesses []candidate
	for _, s := range services {
		for _, p := range s.Ports {
			host, ok := f.reach(p)
			if !ok {
				hidden = append(hidden, fmt.Sprintf("Port %d of %s is published on %s alone, which this machine can't reach: give the address of what stands before it.", p.Published, s.Name, p.IP))
				continue
			}
			if s.Health.Path != "" && (s.Health.Port == p.Target || s.Health.Port == 0 && len(s.Ports) == 1) {
				found = append(found, candidate{address(s.Health.Scheme, host, p.Published, s.Health.Path), true})
				continue
			}
			for _, page := range append(slices.Clone(checked), usualPages...) {
				guesses = append(guesses, candidate{url: address(schemeOf(p), host, p.Published, page)})
			}
		}
	}
	return append(found, guesses...), hidden
}

func schemeOf(p discover.Port) string {
	if p.Published == 443 || p.Target == 443 || p.Target == 8443 {
		return "https"
	}
	return "http"
}

// reach is the host's part of an address by which this machine reaches a port.
func (f *envFile) reach(p discover.Port) (host string, ok bool) {
	ip, err := netip.ParseAddr(p.IP)
	switch {
	case p.IP == "":
		return "{host}", true
	case err == nil && ip.IsLoopback():
		// Only where the host is this machine itself.
		name := strings.Trim(f.host.Name(), "[]")
		own, err := netip.ParseAddr(name)
		return p.IP, name == "localhost" || err == nil && own.IsLoopback()
	}
	return p.IP, true
}

func address(scheme, host string, port int, page string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if !(scheme == "http" && port == 80 || scheme == "https" && port == 443) {
		host += ":" + strconv.Itoa(port)
	}
	return scheme + "://" + host + page
}
