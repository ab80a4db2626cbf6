package compose

import "testing"

// The words of a pull that failed, as engines print them. Only a registry's own word for the manifest says that it is gone.
// Sources: the first two and the page of a proxy are what an engine 20.10.24 printed, by a CLI 28.2; moby's
// distribution/errors.go and daemon/containerd/registry_errors.go; and the threads named.
func TestDenied_ByTheRegistryAlone(t *testing.T) {
	for text, want := range map[string]bool{
		"manifest for 127.0.0.1:36307/shop/api@sha256:a8 not found: manifest unknown: Unknown manifest":                                                                                     true, // the platform's
		"Error response from daemon: manifest for 127.0.0.1:36307/shop/api@sha256:a8 not found: manifest unknown: Unknown manifest":                                                         true, // the index
		"Error response from daemon: manifest unknown":                                                                                                                                      true, // of the platform's manifest: https://github.com/vlaurin/action-ghcr-prune/issues/76
		`unknown: {"errors":[{"code":"MANIFEST_UNKNOWN","message":"Unknown manifest"}]}`:                                                                                                    true,
		"Error response from daemon: Head \"https://ghcr.io/v2/acme/api/manifests/sha256:aa\": denied: denied":                                                                              false,
		"Error response from daemon: pull access denied for acme/api, repository does not exist or may require 'docker login': denied: requested access to the resource is denied":          false,
		"Error response from daemon: unauthorized: authentication required":                                                                                                                 false,
		"Error response from daemon: Get \"https://registry.lan:5000/v2/\": http: server gave HTTP response to HTTPS client":                                                                false,
		"Error response from daemon: error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<html>\\r\\n<head><title>404 Not Found</title></head>\"": false,
		"Error response from daemon: toomanyrequests: You have reached your pull rate limit.":                                                                                               false,
		"Error response from daemon: Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io on 10.0.0.53:53: no such host":                                                                   false,
		"Error response from daemon: received unexpected HTTP status: 503 Service Unavailable":                                                                                              false,
		"failed to register layer: write /usr/lib/x: no space left on device":                                                                                                               false,
	} {
		if got := denied(result{status: 1, stderr: []byte(text)}); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}
