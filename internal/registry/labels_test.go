package registry

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"rollbackbot/runbook"
)

const commit = "3f2c1ab04d5e6f708192a3b4c5d6e7f801234567"

// pushed is an image with labels in a registry of this process.
func pushed(t *testing.T) (host string, image runbook.Image) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	config, err := empty.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.Config.Labels = map[string]string{runbook.LabelRevision: commit, runbook.LabelVersion: "v1.2"}
	built, err := mutate.ConfigFile(empty.Image, config)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(host + "/shop/api:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, built); err != nil {
		t.Fatal(err)
	}
	digest, err := built.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return host, runbook.Image{Name: host + "/shop/api", Digest: runbook.Digest(digest.String())}
}

func TestLabels(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host, image := pushed(t)
	if revision, version, err := (Labels{}).Labels(t.Context(), image); err != nil || revision != commit || version != "v1.2" {
		t.Errorf("got %q, %q, %v", revision, version, err)
	}
	other := runbook.Image{Name: host + "/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat("0", 64))}
	if _, _, err := (Labels{}).Labels(t.Context(), other); err == nil || !strings.Contains(err.Error(), "no such image") {
		t.Errorf("of an image that isn't there: %v", err)
	}
}

// Whatever is wrong with a registry, the error says so in a sentence without its address, and soon.
func TestLabels_OfABadRegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	for want, answer := range map[string]http.HandlerFunc{
		"doesn't let":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"status 500":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"can't be read":         func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"didn't answer in time": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		server := httptest.NewServer(answer)
		host := strings.TrimPrefix(server.URL, "http://")
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if want != "didn't answer in time" {
			ctx = t.Context()
		}
		_, _, err := (Labels{}).Labels(ctx, runbook.Image{Name: host + "/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat("0", 64))})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), host) {
			t.Errorf("want %q: %v", want, err)
		}
		cancel()
		server.Close()
	}
}
