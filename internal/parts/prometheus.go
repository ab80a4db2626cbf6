package parts

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// prometheusScript runs Prometheus until the end of its standard input, which comes with the end of this process,
// however that ends.
const prometheusScript = `"$@" </dev/null &
cat >/dev/null
kill -9 $!
wait`

// StartPrometheus starts a Prometheus of this test alone with a configuration, and gives its URL once it answers. It ends
// with the test. It ends the test as missing its part where there is no Prometheus.
func StartPrometheus(tb testing.TB, config string) (address string) {
	tb.Helper()
	uncached()
	binary := program("prometheus", "/usr/bin/prometheus", "/usr/local/bin/prometheus")
	if binary == "" {
		missing(tb, "Prometheus", "no prometheus found on PATH")
	}
	folder := tb.TempDir()
	file, log := filepath.Join(folder, "prometheus.yml"), filepath.Join(folder, "log")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		tb.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	output, err := os.Create(log)
	if err != nil {
		tb.Fatal(err)
	}
	defer output.Close()
	cmd := exec.Command("/bin/sh", "-c", prometheusScript, "keeper", binary, "--config.file="+file,
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+listen, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = output, output
	leash, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = leash.Close()
		_ = cmd.Wait() // it was killed
	})
	for deadline := time.Now().Add(prometheusPatience); !answers("http://" + listen + "/-/ready"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log) // says why, if anything does
			tb.Fatalf("Prometheus does not answer:\n%s", text)
		}
	}
	return "http://" + listen
}

// prometheusPatience is far above the second that a start takes.
const prometheusPatience = 5 * time.Minute

func answers(url string) bool {
	response, err := (&http.Client{Timeout: time.Minute}).Get(url)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
