package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

const (
	rateUser     = "reader-7f3a"
	ratePassword = "hunter2-91bc"
)

var shop = runbook.App{Name: "shop", ErrorRate: runbook.ErrorRate{Query: "sum(rate(errors[1m])) / sum(rate(requests[1m]))"}}

// prometheusAt reads from a server, with a user name and a password in its address.
func prometheusAt(t *testing.T, address string) *Prometheus {
	t.Helper()
	p, err := NewPrometheus(map[string]string{"shop": strings.Replace(address, "://", "://"+rateUser+":"+ratePassword+"@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answering is a server that answers every query with a text in which NOW stands for the instant that was asked about.
func answering(t *testing.T, status int, answer string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := fmt.Sprintf("%.3f", float64(time.Now().UnixMilli())/1000)
		slow := fmt.Sprint(time.Now().Add(-2 * time.Minute).Unix())
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.NewReplacer("NOW", now, "SLOW", slow).Replace(answer))
	}))
	t.Cleanup(server.Close)
	return server
}

// withoutSecrets fails the test where an error shows who the bot is, and gives its text.
func withoutSecrets(t *testing.T, err error) string {
	t.Helper()
	text := ""
	for e := err; e != nil; e = errors.Unwrap(e) {
		text += fmt.Sprintf("%v %+v %#v\n", e, e, e)
	}
	for _, secret := range []string{rateUser, ratePassword} {
		if strings.Contains(text, secret) {
			t.Errorf("the error shows %q: %s", secret, text)
		}
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

const (
	vectorOf = `{"status":"success","data":{"resultType":"vector","result":[%s]}}`
	matrixOf = `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`
)

func TestErrorRate_Now(t *testing.T) {
	one := func(value string) string { return fmt.Sprintf(vectorOf, `{"metric":{},"value":[NOW,"`+value+`"]}`) }
	for _, c := range []struct {
		name, answer string
		status       int
		want         float64
		why          string // empty: want
		answered     bool
	}{
		{name: "a rate", answer: one("0.25"), want: 0.25},
		{name: "none", answer: one("0"), want: 0},
		{name: "all", answer: one("1"), want: 1},
		{name: "a scalar", answer: `{"status":"success","data":{"resultType":"scalar","result":[NOW,"0.5"]}}`, want: 0.5},
		{name: "NaN", answer: one("NaN"), why: "NaN", answered: true},
		{name: "infinity", answer: one("+Inf"), why: "infinity", answered: true},
		{name: "minus infinity", answer: one("-Inf"), why: "infinity", answered: true},
		{name: "percent", answer: one("12.5"), why: "12.5, which is no fraction", answered: true},
		{name: "negative", answer: one("-0.1"), why: "no fraction", answered: true},
		{name: "no series", answer: fmt.Sprintf(vectorOf, ""), why: "no series", answered: true},
		{name: "two series", answer: fmt.Sprintf(vectorOf, `{"metric":{"a":"1"},"value":[NOW,"0"]},{"metric":{"a":"2"},"value":[NOW,"0"]}`), why: "2 series", answered: true},
		{name: "a range", answer: fmt.Sprintf(matrixOf, `{"metric":{},"values":[[NOW,"0"]]}`), why: "matrix", answered: true},
		{name: "a text", answer: `{"status":"success","data":{"resultType":"string","result":[NOW,"0"]}}`, why: "not Prometheus"},
		{name: "of another time", answer: fmt.Sprintf(vectorOf, `{"metric":{},"value":[1,"0"]}`), why: "another time", answered: true},
		{name: "of a clock that is slow", answer: fmt.Sprintf(vectorOf, `{"metric":{},"value":[SLOW,"0"]}`), why: "is a clock wrong", answered: true},
		{name: "an empty sample", answer: fmt.Sprintf(vectorOf, `{}`), why: "another time", answered: true},
		{name: "null", answer: fmt.Sprintf(vectorOf, `null`), why: "no number", answered: true},
		{name: "a histogram", answer: fmt.Sprintf(vectorOf, `{"metric":{},"histogram":[NOW,{"count":"1","sum":"1","buckets":[]}]}`), why: "no number", answered: true},
		{name: "half of the data", answer: `{"status":"success","warnings":["a store is away"],"data":{"resultType":"vector","result":[{"metric":{},"value":[NOW,"0"]}]}}`, why: "warning", answered: true},
		{name: "a bad query", status: 400, answer: `{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected end of input"}`, why: "parse error", answered: true},
		{name: "too much", status: 422, answer: `{"status":"error","errorType":"execution","error":"query processing would load too many samples"}`, why: "too many samples", answered: true},
		{name: "busy", status: 503, answer: `{"status":"error","errorType":"timeout","error":"query timed out"}`, why: "503"},
		{name: "a wrong token", status: 401, answer: "Unauthorized", why: "PROMETHEUS_URL"},
		{name: "forbidden", status: 403, answer: "<html>no</html>", why: "PROMETHEUS_URL"},
		{name: "nobody there", status: 404, answer: "<html>404 at " + ratePassword + "</html>", why: "404"},
		{name: "broken", status: 500, answer: "<html>500</html>", why: "500"},
		{name: "a login page", status: 302, answer: "<html>log in</html>", why: "not Prometheus"},
		{name: "a page", answer: "<html>welcome</html>", why: "not Prometheus"},
		{name: "nothing", answer: "", why: "not Prometheus"},
		{name: "an empty object", answer: "{}", why: "not Prometheus"},
		{name: "no data", answer: `{"status":"success"}`, why: "not Prometheus"},
		{name: "cut off", answer: one("0")[:60], why: "not Prometheus"},
		{name: "not a number", answer: one("lots"), why: "not Prometheus"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := answering(t, max(c.status, 200), c.answer)
			got, err := prometheusAt(t, server.URL).Now(t.Context(), shop)
			text := withoutSecrets(t, err)
			var none *runbook.NoRateError
			switch {
			case c.why == "" && (err != nil || got.Rate != c.want || time.Since(got.At) > time.Minute):
				t.Errorf("got %+v, %v, want %g", got, err, c.want)
			case c.why != "" && (!errors.As(err, &none) || !strings.Contains(text, c.why) || none.Answered != c.answered):
				t.Errorf("got %+v, %v, want it to say %q, and that it was answered: %t", got, err, c.why, c.answered)
			}
		})
	}
}

func TestErrorRate_Between(t *testing.T) {
	until := time.Now()
	from := until.Add(-time.Hour)
	at := func(minutes int) string { return fmt.Sprint(from.Add(time.Duration(minutes) * time.Minute).Unix()) }
	points := `[` + at(1) + `,"0.1"],[` + at(2) + `,"NaN"],[` + at(3) + `,"0.3"]`
	for _, c := range []struct {
		name, answer string
		want         []float64
		why          string
	}{
		{name: "a series", answer: fmt.Sprintf(matrixOf, `{"metric":{},"values":[`+points+`]}`), want: []float64{0.1, 0.3}},
		{name: "no series", answer: fmt.Sprintf(matrixOf, ""), why: "no series"},
		{name: "two", answer: fmt.Sprintf(matrixOf, `{"metric":{},"values":[`+points+`]},{"metric":{"a":"1"},"values":[`+points+`]}`), why: "2 series"},
		{name: "infinity", answer: fmt.Sprintf(matrixOf, `{"metric":{},"values":[[`+at(1)+`,"+Inf"]]}`), why: "infinity"},
		{name: "another time", answer: fmt.Sprintf(matrixOf, `{"metric":{},"values":[[1,"0"]]}`), why: "another time"},
		{name: "a vector", answer: fmt.Sprintf(vectorOf, `{"metric":{},"value":[NOW,"0"]}`), why: "vector"},
		{name: "null", answer: fmt.Sprintf(matrixOf, "null"), why: "no numbers"},
		{name: "a page", answer: "<html>", why: "not Prometheus"},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples, err := prometheusAt(t, answering(t, 200, c.answer).URL).Between(t.Context(), shop, from, until, time.Minute)
			var got []float64
			for _, s := range samples {
				got = append(got, s.Rate)
			}
			if text := withoutSecrets(t, err); !slices.Equal(got, c.want) || (text == "") != (c.why == "") || !strings.Contains(text, c.why) {
				t.Errorf("got %v, %v, want %v %q", got, err, c.want, c.why)
			}
		})
	}
}

// spaces is an answer without an end, and counts what is read of it.
type spaces struct{ read int }

func (s *spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	s.read += len(p)
	return len(p), nil
}

// RoundTrip answers with it, without a network: a stream in memory would have no end either.
func (s *spaces) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(s), Request: r}, nil
}

// saysOnly leads to a server that takes a request, says this and nothing more.
func saysOnly(text string) *http.Transport {
	transport := newTransport()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := sshtest.Pipe()
		go func() {
			_, _ = theirs.Read(make([]byte, 1)) // whoever answers before the question is no server
			_, _ = io.WriteString(theirs, text)
		}()
		return ours, nil
	}
	return transport
}

// Nobody who answers, half an answer, an answer without an end: each is over in its time, which passes in a bubble, so
// that a slow machine changes nothing.
func TestErrorRate_WhoDoesNotAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		text  string // all that is said
		why   string
		after time.Duration // 0: of one that says spaces without an end
	}{
		"silent":                {"", "did not answer within 5s", runbook.RateTimeout},
		"stops in the header":   {"HTTP/1.1 200 OK\r\nContent-", "did not answer within 5s", runbook.RateTimeout},
		"stops in its answer":   {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "did not answer within 5s", runbook.RateTimeout},
		"never stops answering": {"", "not Prometheus", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := &spaces{}
				var way http.RoundTripper = all
				if c.after > 0 {
					way = saysOnly(c.text)
				}
				p, err := newPrometheus(map[string]string{"shop": "http://" + rateUser + ":" + ratePassword + "@prometheus.test"},
					func() http.RoundTripper { return way })
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				_, err = p.Now(t.Context(), shop)
				if text := withoutSecrets(t, err); !strings.Contains(text, c.why) || time.Since(began) != c.after {
					t.Errorf("%s after %s, want %q after %s", text, time.Since(began), c.why, c.after)
				}
				if all.read > maxAnswer {
					t.Errorf("%d bytes were read", all.read)
				}
			})
		})
	}
}

// Nobody there: that is said, and shows no password.
func TestErrorRate_NobodyThere(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, address := range map[string]string{"gone": gone.URL, "no such host": "http://prometheus.invalid"} {
		_, err := prometheusAt(t, address).Now(t.Context(), shop)
		if text := withoutSecrets(t, err); !strings.Contains(text, "can't be reached") {
			t.Errorf("%s: %s", name, text)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := prometheusAt(t, gone.URL).Now(ctx, shop)
	withoutSecrets(t, err)
	if err == nil {
		t.Error("a rate came from nowhere")
	}
}

// The password is for the configured host alone, whoever sends the bot elsewhere.
func TestErrorRate_ThePasswordGoesToPrometheusAlone(t *testing.T) {
	asked := make(chan string, 9)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- "thief" }))
	defer thief.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != rateUser || password != ratePassword {
			t.Errorf("asked as %q", r.Header.Get("Authorization"))
		}
		asked <- "prometheus"
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	_, err := prometheusAt(t, server.URL).Now(t.Context(), shop)
	withoutSecrets(t, err)
	close(asked)
	for who := range asked {
		if who != "prometheus" {
			t.Error("the bot followed a redirect")
		}
	}
	if _, err := NewPrometheus(map[string]string{"shop": "http://" + rateUser + ":" + ratePassword + "@ho st"}); err == nil {
		t.Error("a URL that is none was taken")
	} else {
		withoutSecrets(t, err)
	}
	if text := fmt.Sprintf("%v %+v", prometheusAt(t, server.URL), *prometheusAt(t, server.URL)); strings.Contains(text, ratePassword) {
		t.Errorf("printed, it shows the password: %s", text)
	}
}

// What counts on after the app has vanished is no answer.
func TestErrorRate_NothingIsScrapedAnyMore(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := fmt.Sprintf(`{"metric":{},"value":[%d,"0"]}`, time.Now().Unix())
		if strings.HasPrefix(r.FormValue("query"), "count(") {
			if got := r.FormValue("query"); got != "count(errors) or count(requests)" {
				t.Errorf("asked for %s", got)
			}
			result = ""
		}
		_, _ = fmt.Fprintf(w, vectorOf, result)
	}))
	defer server.Close()
	if _, err := prometheusAt(t, server.URL).Now(t.Context(), shop); err == nil || !strings.Contains(err.Error(), "scraped") {
		t.Errorf("got %v", err)
	}
}

func TestRanged(t *testing.T) {
	for query, want := range map[string][]string{
		`sum(rate(errors[1m]))/sum(rate(requests[1m]))`:                    {"errors", "requests"},
		`sum(rate(r{code=~"5.."}[1m])) / sum(rate(r{code!="}[1m]"} [1m]))`: {`r{code=~"5.."}`, `r{code!="}[1m]"}`},
		`rate({__name__="job:errors", a='{['}[5m] offset 1m)`:              {`{__name__="job:errors", a='{['}`},
		"rate(a:b{x=`\\`}[5m]) # rate(c[5m])\n + rate(d [5m])":             {"a:b{x=`\\`}", "d"},
		`max_over_time(sum(rate(r[1m]))[5m:1m])`:                           {"r"},
		`rate(r[1m]) / rate(r[5m])`:                                        {"r"},
		`job:error_rate:ratio{app="shop"}`:                                 nil,
		`[5m]`:                                                             nil,
		`"unterminated [5m`:                                                nil,
		`}{[5m]`:                                                           nil,
		``:                                                                 nil,
	} {
		if got := ranged(query); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func FuzzRanged(f *testing.F) {
	f.Add(`sum(rate(r{code=~"5.."}[1m])) / sum(rate(r[1m]))`)
	f.Add(`}{"'[5m]`)
	f.Fuzz(func(t *testing.T, query string) {
		for _, selector := range ranged(query) {
			if selector == "" || !strings.Contains(query, selector) {
				t.Errorf("%q has no selector %q", query, selector)
			}
		}
	})
}
