package config

import (
	"math"
	"net/url"
	"strconv"
	"strings"

	"rollbackbot/runbook"
)

// errorRate reads how step 4 is judged. Prometheus's address goes apart, since it may hold a password.
func (r *reader) errorRate(app string, env appEnvironment) runbook.ErrorRate {
	before := len(r.problems)
	rate := runbook.ErrorRate{
		Window:       r.duration(env.ErrorRateWindow),
		DashboardURL: r.optionalAddress(env.DashboardURL),
		Query:        r.query(env.ErrorRateQuery),
		Tolerance:    r.number(env.ErrorRateTolerance, math.MaxFloat64, "0.1: back is up to a tenth above the baseline"),
		Floor:        r.number(env.ErrorRateFloor, 1, "0.01: one request in a hundred"),
	}
	address := r.prometheusURL(env.PrometheusURL)
	switch {
	case len(r.problems) > before: // of one thing at a time
	case address == "" && rate.Query != "":
		r.problem(env.ErrorRateQuery, "it is set, and "+env.PrometheusURL.Name+" is not", "give Prometheus's address too, or leave out both: a person is then asked about the error rate")
	case address != "" && rate.Query == "":
		r.problem(env.PrometheusURL, "it is set, and "+env.ErrorRateQuery.Name+" is not", "give the query too, or leave out both: a person is then asked about the error rate")
	case address != "":
		if r.prometheus == nil {
			r.prometheus = map[string]Secret{}
		}
		r.prometheus[app] = NewSecret(address)
	}
	return rate
}

// maxQuery bounds a query, in bytes: Prometheus takes more, people don't read it.
const maxQuery = 10_000

// query is PromQL as it stands; only Prometheus can judge it.
func (r *reader) query(s setting) string {
	text := s.text()
	switch {
	case len(text) > maxQuery:
		r.problem(s, "it is longer than 10,000 bytes", "keep it in Prometheus as a recording rule, and give that rule's name")
	case strings.ContainsFunc(text, func(c rune) bool { return isControl(c) && c != '\n' && c != '\t' }):
		r.problem(s, "it holds control characters", "give the query alone")
	}
	return text
}

// prometheusURL is an http or https URL, with a user name and a password or without. It is never quoted.
func (r *reader) prometheusURL(s setting) string {
	text := s.text()
	if text == "" {
		return ""
	}
	parsed, err := url.Parse(text)
	const remedy = "write it as in http://prometheus.example:9090, or https://user:password@prometheus.example"
	switch {
	case err != nil: // url.Error quotes the URL
		r.problem(s, "it is no URL", remedy+"; in a password, write what is no letter or digit as %XX")
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Hostname() == "":
		r.problem(s, "it is no http or https URL", remedy)
	case parsed.RawQuery != "" || parsed.Fragment != "":
		r.problem(s, "it holds a ? or a #, with which nothing can be asked", remedy)
	case strings.HasSuffix(strings.TrimRight(parsed.Path, "/"), "/api/v1"):
		r.problem(s, "it ends in /api/v1, which is added to it", "leave that out")
	}
	return text
}

// number is a decimal number from 0 to most.
func (r *reader) number(s setting, most float64, example string) float64 {
	n, err := strconv.ParseFloat(s.text(), 64)
	switch {
	case err != nil || math.IsNaN(n) || math.IsInf(n, 0):
		r.problem(s, show(s.text())+" is no number", "write it as in "+example)
	case n < 0:
		r.problem(s, show(s.text())+" is negative", "write it as in "+example)
	case n > most:
		r.problem(s, show(s.text())+" is more than "+strconv.FormatFloat(most, 'g', -1, 64), "give a fraction, as in "+example)
	default:
		return n
	}
	return 0
}
