package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"rollbackbot/runbook"
)

// Prometheus reads error rates. Its methods may be called from any goroutine.
type Prometheus struct {
	apis map[string]v1.API // by app
}

var _ runbook.ErrorRateChecker = (*Prometheus)(nil)

// NewPrometheus makes it for the Prometheus of each app, by the app's name: an http or https URL, which may hold a user
// name and a password. It asks nobody yet. The error quotes no URL.
func NewPrometheus(addresses map[string]string) (*Prometheus, error) {
	return newPrometheus(addresses, func() http.RoundTripper { return newTransport() })
}

// newPrometheus makes it with another way to its servers.
func newPrometheus(addresses map[string]string, transportTo func() http.RoundTripper) (*Prometheus, error) {
	p := &Prometheus{apis: map[string]v1.API{}}
	for app, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("the address of the Prometheus of %s is no URL", app)
		}
		transport := &guarded{next: transportTo(), user: u.User, host: u.Host}
		u.User = nil // it would be in every error
		client, err := api.NewClient(api.Config{Address: u.String(), Client: &http.Client{Transport: transport, CheckRedirect: stay}})
		if err != nil {
			return nil, fmt.Errorf("the address of the Prometheus of %s is no URL", app)
		}
		p.apis[app] = v1.NewAPI(client)
	}
	return p, nil
}

// Now gives the error rate of an app at this instant.
func (p *Prometheus) Now(ctx context.Context, a runbook.App) (runbook.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runbook.RateTimeout)
	defer cancel()
	client, err := p.of(a)
	if err != nil {
		return runbook.Sample{}, err
	}
	// No instant is given, so that it is Prometheus's now: with a clock of the bot's that is slow, the time before the
	// failure would be read for the time after the rollback.
	asked := time.Now()
	value, warnings, _, failed := client.Query(ctx, a.ErrorRate.Query, time.Time{})
	if err := refusal(value, warnings, failed); err != nil {
		return runbook.Sample{}, err
	}
	sample, why := single(value, asked)
	if why == "" {
		why = unscraped(ctx, client, a.ErrorRate.Query)
	}
	if why != "" {
		return runbook.Sample{}, &runbook.NoRateError{Why: why, Answered: true}
	}
	return sample, nil
}

// Between gives the error rate of an app over a time. Instants at which the query gave NaN are left out.
func (p *Prometheus) Between(ctx context.Context, a runbook.App, from, until time.Time, step time.Duration) ([]runbook.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runbook.RateTimeout)
	defer cancel()
	client, err := p.of(a)
	if err != nil {
		return nil, err
	}
	asked := v1.Range{Start: from, End: until, Step: step}
	value, warnings, _, failed := client.QueryRange(ctx, a.ErrorRate.Query, asked)
	if err := refusal(value, warnings, failed); err != nil {
		return nil, err
	}
	samples, why := series(value, asked)
	if why != "" {
		return nil, &runbook.NoRateError{Why: why, Answered: true}
	}
	return samples, nil
}

func (p *Prometheus) of(a runbook.App) (v1.API, error) {
	if client := p.apis[a.Name]; client != nil {
		return client, nil
	}
	return nil, &runbook.NoRateError{Why: "no Prometheus is configured for " + a.Name, Answered: true}
}

// refusal is why there is no answer to read; nil where there is.
func refusal(value model.Value, warnings v1.Warnings, err error) error {
	var said *v1.Error
	switch {
	case err == nil && len(warnings) > 0: // of Thanos and its like: a part of the data is missing
		return &runbook.NoRateError{Why: "Prometheus answered with a warning: " + shown(strings.Join(warnings, "; ")), Answered: true}
	case err == nil && value == nil:
		return &runbook.NoRateError{Why: rubbish}
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &runbook.NoRateError{Why: fmt.Sprintf("Prometheus did not answer within %s", runbook.RateTimeout), Err: err}
	case !errors.As(err, &said):
		return &runbook.NoRateError{Why: "Prometheus can't be reached: " + shown(cause(err).Error()), Err: cause(err)}
	}
	return &runbook.NoRateError{Why: saidNo(said), Answered: said.Type == v1.ErrBadData || said.Type == v1.ErrExec, Err: errors.New(string(said.Type))}
}

const rubbish = "what answers at the address of Prometheus is not Prometheus, or its answer is damaged"

// saidNo is an error that came as an answer. Its detail is whatever stood in the answer, and is never shown.
func saidNo(e *v1.Error) string {
	switch {
	case e.Type == v1.ErrBadResponse:
		return rubbish
	case strings.HasSuffix(e.Msg, "401"), strings.HasSuffix(e.Msg, "403"):
		return "Prometheus doesn't let the bot in (" + shown(e.Msg) + "): check the user name and password in PROMETHEUS_URL"
	case e.Type == v1.ErrBadData:
		return "Prometheus doesn't take the query: " + shown(e.Msg)
	}
	return "Prometheus answers with an error: " + shown(e.Msg)
}

// maxShown bounds what an answer may say in a message, in characters.
const maxShown = 200

func shown(text string) string {
	return runbook.Mask(runbook.Truncate(strings.Join(strings.Fields(text), " "), maxShown))
}

// cause is an error without the URL that it is about.
func cause(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// single reads the one number of an answer to a query at an instant, or says why there is none.
func single(value model.Value, asked time.Time) (sample runbook.Sample, why string) {
	switch v := value.(type) {
	case *model.Scalar:
		return numberOf(v.Timestamp, v.Value, asked.Add(-clockMargin), asked.Add(clockMargin))
	case model.Vector:
		switch {
		case len(v) == 0:
			return sample, "the query gives no series"
		case len(v) > 1:
			return sample, several(len(v))
		case v[0] == nil || v[0].Histogram != nil:
			return sample, "the query gives no number"
		}
		return numberOf(v[0].Timestamp, v[0].Value, asked.Add(-clockMargin), asked.Add(clockMargin))
	}
	return sample, fmt.Sprintf("the query gives a %s, and not one number", value.Type())
}

// series reads the one series of an answer to a query over a time, or says why there is none.
func series(value model.Value, asked v1.Range) (samples []runbook.Sample, why string) {
	matrix, ok := value.(model.Matrix)
	switch {
	case !ok:
		return nil, fmt.Sprintf("the query gives a %s, and not one number at each instant", value.Type())
	case len(matrix) == 0:
		return nil, "the query gives no series for that time"
	case len(matrix) > 1:
		return nil, several(len(matrix))
	case matrix[0] == nil || len(matrix[0].Histograms) > 0:
		return nil, "the query gives no numbers"
	}
	for _, pair := range matrix[0].Values {
		if math.IsNaN(float64(pair.Value)) {
			continue // no requests then
		}
		sample, why := numberOf(pair.Timestamp, pair.Value, asked.Start, asked.End)
		if why != "" {
			return nil, why
		}
		samples = append(samples, sample)
	}
	return samples, ""
}

func several(n int) string {
	return fmt.Sprintf("the query gives %d series and must give one: put sum() around what it counts", n)
}

// clockMargin is how far Prometheus's clock may be from the bot's: half of what is judged of a window, and far more than
// machines that are looked after differ by.
const clockMargin = 30 * time.Second

// numberOf is a number as an error rate, or why it is none.
func numberOf(at model.Time, value model.SampleValue, from, until time.Time) (sample runbook.Sample, why string) {
	rate, when := float64(value), at.Time()
	switch {
	case when.Before(from.Truncate(time.Second)) || when.After(until.Add(time.Second)):
		return sample, "Prometheus answers for another time than the one that was asked about (" + instant(when) + ", and the bot's clock says " + instant(time.Now()) + "): is a clock wrong?"
	case math.IsNaN(rate):
		return sample, "the query gives NaN: there were no requests, or nothing was counted"
	case math.IsInf(rate, 0):
		return sample, "the query gives infinity: it divides by zero"
	case rate < 0 || rate > 1:
		return sample, fmt.Sprintf("the query gives %.4g, which is no fraction in [0, 1]", rate)
	}
	return runbook.Sample{At: when.UTC(), Rate: rate}, ""
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// newTransport keeps connections, since a window has a question every five seconds.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: runbook.RateTimeout, MaxResponseHeaderBytes: 64 << 10,
	}
}

// stay follows no redirect: a login page answers 200 too, and the password is for nobody else.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// maxAnswer bounds an answer: 11,000 points of one series, which is Prometheus's own limit, take less than 1 MiB.
const maxAnswer = 4 << 20

// guarded shows who the bot is to the one host that it is for, and reads no more of an answer than one may hold.
type guarded struct {
	next http.RoundTripper
	user *url.Userinfo // nil: nobody
	host string
}

// RoundTrip makes one request.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "rollbackbot")
	if g.user != nil && r.URL.Host == g.host {
		password, _ := g.user.Password()
		r.SetBasicAuth(g.user.Username(), password)
	}
	response, err := g.next.RoundTrip(r)
	if err == nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxAnswer), response.Body}
	}
	return response, err
}
