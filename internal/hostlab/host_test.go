package hostlab

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/parts"
)

// Each generation has the engine and the Compose that its folder says, pulls from the registry what is there as docker's
// manifest or as an OCI index, and a port that a container publishes is on the host's address.
func TestHost_IsWhatItSays(t *testing.T) {
	roots := parts.HostRoots(t)
	lab := Open(t)
	v1, err := lab.PushRelease("v1", false, Docker)
	if err != nil {
		t.Fatal(err)
	}
	index, err := lab.PushRelease("v2", false, OCI)
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range roots {
		h := lab.Start(t, Generation(root.Suite))
		if got := h.Script(t, "docker version --format '{{.Server.Version}}'"); !strings.HasPrefix(got, root.Engine) {
			t.Errorf("%s runs engine %s, its folder says %s", root.Suite, got, root.Engine)
		}
		if got := h.Login(t, "deploy", "docker compose version --short"); !strings.HasPrefix(strings.TrimPrefix(got, "v"), root.Compose) {
			t.Errorf("%s has Compose %s, its folder says %s", root.Suite, got, root.Compose)
		}
		if got := h.Script(t, "docker info --format '{{.DriverStatus}}'"); strings.Contains(got, "containerd") != (root.Suite == string(Sid)) {
			t.Errorf("the image store of %s is %s", root.Suite, got)
		}
		h.Script(t, "docker pull "+v1["worker"]+" && docker pull "+index["worker"])
		h.Login(t, "deploy", "docker run --detach --publish 8080:8080 "+v1["api"]+" && sleep 1")
		answer, err := http.Get("http://" + h.Addr() + ":8080/health")
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("on %s health answers %s (%v)", root.Suite, answer.Status, err)
		}
		out, err := exec.Command("ssh", "-F", "none", "-i", h.KeyFile(), "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+h.KnownHosts(), "deploy@"+h.Addr(), "uname -n").CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != h.Name() {
			t.Errorf("over ssh %s calls itself %q (%v)", root.Suite, out, err)
		}
	}
}

// What a host leaves behind that was killed with its process is removed by the next one.
func TestLab_ClearsWhatADeadOneLeft(t *testing.T) {
	lab := Open(t)
	first, err := takePlace()
	if err != nil {
		t.Fatal(err)
	}
	litter := filepath.Join(first.folder, "upper")
	if err := os.Mkdir(litter, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := first.lock.Close(); err != nil { // as the kernel does with a process
		t.Fatal(err)
	}
	h := lab.Start(t, Trixie)
	if _, err := os.Stat(filepath.Join(litter, "etc")); err != nil {
		t.Errorf("the next host is not at the place of the dead one: %v", err)
	}
	folder := h.place.folder
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	lab.hosts = nil
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("a host that ended left %s: %v", folder, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), folder) {
		t.Errorf("a host that ended left mounts (%v)", err)
	}
}
