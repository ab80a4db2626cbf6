package probe

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

func TestCheck_TakesTheAnswerAsItIs(t *testing.T) {
	for _, want := range []int{200, 204, 302, 404, 503} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(want)
		}))
		got, err := Health{}.Check(t.Context(), server.URL, "")
		if err != nil || got != want {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
		server.Close()
	}
}

func TestCheck_AsksOnANewConnectionEachTime(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	for range 3 {
		if _, err := (Health{}).Check(t.Context(), server.URL, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := connections.Load(); got != 3 {
		t.Errorf("3 checks made %d connections", got)
	}
}

func TestCheck_PrivateCA(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	if _, err := (Health{}).Check(t.Context(), server.URL, ""); err == nil {
		t.Error("a certificate that nobody trusts was taken")
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, err := (Health{}).Check(t.Context(), server.URL, file); err != nil || status != 200 {
		t.Errorf("with its CA: %d, %v", status, err)
	}
	if err := os.WriteFile(file, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Health{}).Check(t.Context(), server.URL, file); err == nil {
		t.Error("a CA file without a certificate was taken")
	}
}
