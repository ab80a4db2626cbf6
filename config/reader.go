package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"rollbackbot/runbook/endpoint"
)

// reader turns settings into values and collects what is wrong with them.
type reader struct {
	need     Need
	problems Problems
	settings []*setting // all that were read, whoever's
	// prometheus are the addresses that were read, by app; nil: none.
	prometheus map[string]Secret
	// appsUnsure is true where ROLLBACK_APPS is wrong, so that nobody can tell whose variables those of an app are.
	appsUnsure bool
}

// read fills a struct of settings from the environment.
func (r *reader) read(prefix string, env any) error {
	settings, err := declare(prefix, env)
	if err != nil {
		return err
	}
	if err := envconfig.Process(prefix, env); err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	r.settings = append(r.settings, settings...)
	return nil
}

// problem notes what is wrong with a setting, unless the command has no use for it.
func (r *reader) problem(s setting, wrong, remedy string) {
	if s.need <= r.need {
		r.problems = append(r.problems, Problem{Variable: s.Name, Wrong: wrong, Remedy: remedy})
	}
}

// text is a setting's value; a problem if it must be set and is not.
func (r *reader) text(s setting) string {
	text := s.text()
	if text == "" && s.Required {
		r.problem(s, "it is not set", "give "+s.Meaning)
	}
	return text
}

// list is a comma-separated setting's items, without white space around them. An empty item is a problem.
func (r *reader) list(s setting) []string {
	text := r.text(s)
	if text == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	if slices.Contains(items, "") {
		r.problem(s, "an item between its commas is empty", "leave out the comma too many")
		items = slices.DeleteFunc(items, func(item string) bool { return item == "" })
	}
	return items
}

// duration is a positive length of time.
func (r *reader) duration(s setting) time.Duration {
	d, err := time.ParseDuration(s.text())
	switch {
	case err != nil:
		r.problem(s, show(s.text())+" is no length of time", "write it as in 90s, 5m or 1h30m")
	case d <= 0:
		r.problem(s, show(s.text())+" is not positive", "give a length of time such as "+s.Default)
	}
	return max(d, 0)
}

// boolean is true or false.
func (r *reader) boolean(s setting) bool {
	b, err := strconv.ParseBool(s.text())
	if err != nil {
		r.problem(s, show(s.text())+" is neither true nor false", "write true or false")
	}
	return b
}

// oneOf is one of the words.
func (r *reader) oneOf(s setting, words ...string) string {
	if !slices.Contains(words, s.text()) {
		r.problem(s, show(s.text())+" is not known", "write "+strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1])
	}
	return s.text()
}

// address is an http or https URL. It never quotes one, and refuses names and passwords in it: it is shown to people.
func (r *reader) address(s setting, text string) string {
	parsed, err := url.Parse(strings.NewReplacer("["+endpoint.Host+"]", "host", endpoint.Host, "host").Replace(text))
	switch {
	case err != nil:
		// url.Error quotes the URL.
		r.problem(s, "it is no URL", "write it as in https://api.example.com/health")
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "":
		r.problem(s, "it is no http or https URL", "write it as in https://api.example.com/health")
	case parsed.User != nil:
		r.problem(s, "it holds a user name or password, and people will see it", "leave out what stands before the @")
	}
	return text
}

// optionalAddress is an address or "".
func (r *reader) optionalAddress(s setting) string {
	text := s.text()
	if text == "" {
		return ""
	}
	if strings.Contains(text, endpoint.Host) {
		r.problem(s, endpoint.Host+" has no meaning here", "write the address itself")
	}
	return r.address(s, text)
}

// listenAddress is a host, or none for all of the machine's addresses, and a port.
func (r *reader) listenAddress(s setting) string {
	text := r.text(s)
	if text == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(text)
	if _, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil {
		r.problem(s, fmt.Sprintf("%q is no address to listen on", text), "write HOST:PORT, as in 127.0.0.1:8080")
		return ""
	}
	return text
}
