// Package endpoint gives the health URLs of an app's hosts.
package endpoint

import (
	"net/url"
	"strings"

	"rollbackbot/runbook"
)

// Host stands for each host's name or address in a health URL.
const Host = "{host}"

// OfHost are the health URLs that speak of one host.
func OfHost(a runbook.App, host runbook.Host) []string {
	var urls []string
	for _, template := range a.Health.URLs {
		if strings.Contains(template, Host) {
			urls = append(urls, For(template, host))
		}
	}
	return urls
}

// OfPlan are the health URLs of every host of the plan, and those that speak of all hosts together.
func OfPlan(a runbook.App, p runbook.Plan) []string {
	var urls []string
	for _, template := range a.Health.URLs {
		if !strings.Contains(template, Host) {
			urls = append(urls, template)
		}
	}
	for _, h := range p.Hosts {
		urls = append(urls, OfHost(a, h.Host)...)
	}
	return runbook.Unique(urls)
}

// For puts a host's name where Host stands. In a URL's own host an IPv6 address has brackets, also where the template has them
// already, and the % of its zone is %25 (RFC 3986, section 3.2.2; RFC 6874, section 2). In a path or a query it is escaped.
func For(template string, host runbook.Host) string {
	name := host.Name()
	scheme, rest, _ := strings.Cut(template, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	authority := strings.ReplaceAll(strings.ReplaceAll(rest[:end], "["+Host+"]", Host), Host, literal(name))
	path, query, asks := strings.Cut(rest[end:], "?")
	path = strings.ReplaceAll(path, Host, url.PathEscape(name))
	if asks {
		query = "?" + strings.ReplaceAll(query, Host, url.QueryEscape(name))
	}
	return scheme + "://" + authority + path + query
}

// literal is a name or an address as the host of a URL.
func literal(name string) string {
	if !strings.Contains(name, ":") {
		return name
	}
	return "[" + strings.ReplaceAll(name, "%", "%25") + "]"
}
