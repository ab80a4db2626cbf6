// Package probe asks health endpoints over HTTP, and Prometheus for error rates. It implements runbook.HealthChecker and
// runbook.ErrorRateChecker.
package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"rollbackbot/runbook"
)

// Timeout bounds one question, from dialling to the answer's header: a healthy endpoint answers at once, and the
// runbook's own attempts are 10 s apart.
const Timeout = 5 * time.Second

// Health asks health endpoints. The zero value is ready to use.
type Health struct{}

var _ runbook.HealthChecker = Health{}

// Check makes one GET on a new connection, so that what answers is what runs now and not what a kept connection still
// leads to. No redirect is followed, since a login page also answers 200, and nothing comes from a cache.
func (Health) Check(ctx context.Context, url, caFile string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if caFile != "" {
		pool, err := readCA(caFile)
		if err != nil {
			return 0, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Cache-Control", "no-cache")
	request.Header.Set("User-Agent", "rollbackbot")
	response, err := client.Do(request)
	if err != nil {
		return 0, errors.Unwrap(err) // the URL is the caller's to name
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	return response.StatusCode, nil
}

func readCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s holds no PEM certificate", file)
	}
	return pool, nil
}
