package realhost

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/parts"
)

// patience is far above what anything takes here: a machine that is slow must fail no test.
const patience = 5 * time.Minute

// healthOf waits until the health endpoint answers the status, as a release needs a moment to start.
func healthOf(t *testing.T, stack *Stack, want int) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		answer, err := client.Get(stack.HealthURL())
		if err != nil {
			last = err.Error()
			continue
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode == want {
			return
		}
		last = answer.Status
	}
	t.Fatalf("%s: %s, want %d", stack.HealthURL(), last, want)
}

func TestStack_DeployedByHand(t *testing.T) {
	t.Parallel()
	registry := StartRegistry(t)
	images := BuildImages(t, registry)
	stack := NewStack(t, registry, images)

	stack.Up(t, "v1")
	healthOf(t, stack, http.StatusOK)
	before := stack.Containers(t)
	for service, want := range map[string]int{"api": 1, "worker": Workers, "web": 1, "db": 1, "migrate": 1} {
		if got := len(before[service]); got != want {
			t.Errorf("%d containers of %s, want %d", got, service, want)
		}
	}
	for _, service := range Services() {
		want := ImageID(t, images["v1"][service])
		for _, container := range before[service] {
			if container.ImageID != want || container.Ref != images["v1"][service] || container.State != "running" {
				t.Errorf("%s: %+v, want it running image %s", service, container, want)
			}
		}
	}

	stack.Up(t, "v2")
	healthOf(t, stack, http.StatusServiceUnavailable)
	after := stack.Containers(t)
	if after["db"][0].ID != before["db"][0].ID {
		t.Error("the database was replaced by a deployment that did not pull it")
	}
	if after["api"][0].ImageID != ImageID(t, images["v2"]["api"]) {
		t.Errorf("api: %+v, want v2", after["api"][0])
	}
	if got, want := WithoutPins(stack.Env(t)), WithoutPins(envTemplate); got != want {
		t.Errorf("the environment file is\n%q\nwant\n%q", got, want)
	}

	stack.Up(t, "v3")
	for deadline := time.Now().Add(patience); stack.Containers(t)["api"][0].Restarts == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the api of v3 does not crash")
		}
	}
}

// TestStack_TheRunbooksLines shows that the stack springs all its traps on whoever types the runbook's step 2 as it
// stands: a rollback that passes on this stack has avoided them.
func TestStack_TheRunbooksLines(t *testing.T) {
	t.Parallel()
	registry := StartRegistry(t)
	stack := NewStack(t, registry, BuildImages(t, registry, V1, V2))
	stack.Up(t, "v1")
	stack.Up(t, "v2")
	before := stack.Containers(t)

	stack.Pin(t, "v1")
	stack.Shell(t, "docker compose -f infra/docker-compose.prod.yml pull --quiet")
	stack.Shell(t, "docker compose -f infra/docker-compose.prod.yml up -d || true")
	after := stack.Containers(t)
	if after["db"][0].ImageID == before["db"][0].ImageID {
		t.Error("the database was not replaced")
	}
	if got := after["migrate"][0]; got.State != "exited" || got.ExitCode != 1 {
		t.Errorf("migrate: %+v, want it to have refused the newer schema", got)
	}
	if got := after["api"][0].State; got != "created" {
		t.Errorf("api is %s, want it created and not started", got)
	}
	if got := len(after["worker"]); got != 1 {
		t.Errorf("%d workers, want 1", got)
	}
}

func TestImages_OnlyInTheRegistry(t *testing.T) {
	t.Parallel()
	registry := StartRegistry(t)
	api := BuildImages(t, registry, Release{Version: "v9", HealthCheck: true})["v9"]["api"]
	RemoveFromHost(t, api)
	registry.Stop(t)
	if _, err := try("docker", "pull", api); err == nil {
		t.Fatal("pulled an image while the registry was down")
	}
	registry.Start(t)
	run(t, "docker", "pull", "--quiet", api)
	name, digest, _ := strings.Cut(api, "@")
	repository := strings.TrimPrefix(name, registry.Addr()+"/")
	if got := registry.Digest(t, repository, "v9"); got != digest {
		t.Errorf("the registry has %s, want %s", got, digest)
	}
	format := `{{index .Config.Labels "org.opencontainers.image.version"}} {{index .Config.Labels "org.opencontainers.image.revision"}} {{.Config.Healthcheck.Test}}`
	want := "v9 " + Release{Version: "v9"}.Commit() + " [CMD /app healthcheck]"
	if got := run(t, "docker", "image", "inspect", "--format", format, api); got != want {
		t.Errorf("labels and health check %q, want %q", got, want)
	}
	run(t, "docker", "image", "rm", api)
}

func TestRegistry_HoldsBlobsBack(t *testing.T) {
	t.Parallel()
	registry := StartRegistry(t)
	api := BuildImages(t, registry, Release{Version: "held"})["held"]["api"]
	RemoveFromHost(t, api)
	registry.Hold(t)
	pulled := make(chan error, 1)
	go func() {
		_, err := try("docker", "pull", "--quiet", api)
		pulled <- err
	}()
	select {
	case err := <-pulled:
		t.Fatalf("pulled from a registry that holds its blobs back: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	registry.Release(t)
	if err := <-pulled; err != nil {
		t.Errorf("pull after the release: %v", err)
	}
	run(t, "docker", "image", "rm", api)
}

func TestHealthCheck_TurnsHealthyAndUnhealthy(t *testing.T) {
	t.Parallel()
	registry := StartRegistry(t)
	images := BuildImages(t, registry,
		Release{Version: "well", HealthCheck: true}, Release{Version: "ill", API: Sick, HealthCheck: true})
	stack := NewStack(t, registry, images)
	for version, want := range map[string]string{"well": "healthy", "ill": "unhealthy"} {
		stack.Up(t, version)
		for deadline := time.Now().Add(patience); stack.Containers(t)["api"][0].Health != want; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v, want %s", version, stack.Containers(t)["api"], want)
			}
		}
	}
}

func TestSSHD_OpenSSHClient(t *testing.T) {
	parts.Docker(t)
	host := StartSSHD(t)
	words := append(host.Client(t), "docker version --format '{{.Server.Version}}' && id -un && pwd")
	out := run(t, words[0], words[1:]...)
	if got := lines(out); len(got) != 3 || got[1] != host.User() || got[2] != host.Home() {
		t.Errorf("got %q, want the engine's version, %s and %s", out, host.User(), host.Home())
	}
}

// dial connects with Go's client as the product does: with the algorithms that known_hosts has for the host.
func dial(t *testing.T, host *SSHD, knownHosts string) (*ssh.Client, error) {
	t.Helper()
	pem, err := os.ReadFile(host.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	db, err := knownhosts.NewDB(knownHosts)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", host.Addr(), &ssh.ClientConfig{
		User:              host.User(),
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   db.HostKeyCallback(),
		HostKeyAlgorithms: db.HostKeyAlgorithms(host.Addr()),
		Timeout:           patience,
	})
	if err == nil {
		t.Cleanup(func() { _ = client.Close() })
	}
	return client, err
}

func TestSSHD_KnownHosts(t *testing.T) {
	host := StartSSHD(t)
	accepted := map[string]string{
		"all":       host.KnownHosts(t),
		"hashed":    host.KnownHostsHashed(t),
		"authority": host.KnownHostsAuthority(t),
	}
	for _, algorithm := range Algorithms() {
		accepted[algorithm] = host.KnownHosts(t, algorithm)
	}
	for name, file := range accepted {
		if _, err := dial(t, host, file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, file := range map[string]string{"wrong": host.KnownHostsWrong(t), "empty": host.KnownHostsEmpty(t)} {
		if _, err := dial(t, host, file); err == nil {
			t.Errorf("%s: connected", name)
		} else if got := knownhosts.IsHostKeyChanged(err); got != (name == "wrong") {
			t.Errorf("%s: changed = %v: %v", name, got, err)
		}
	}
	one := StartSSHD(t, WithHostKeys(ssh.KeyAlgoED25519))
	if _, err := dial(t, one, one.KnownHostsWrong(t, ssh.KeyAlgoRSA)); err == nil {
		t.Error("other key type: connected")
	}
}

// TestSSHD_CutLeavesTheCommandAlone has a command on the host wait for a file that is written after the cut.
func TestSSHD_CutLeavesTheCommandAlone(t *testing.T) {
	host := StartSSHD(t, WithUser("deploy-cut"))
	client, err := dial(t, host, host.KnownHosts(t))
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	const line = `setsid sh -c 'touch started; until [ -e go ]; do sleep 0.02; done; mv go done' >/dev/null 2>&1 </dev/null`
	if err := session.Start(line); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, host.Home()+"/started")
	if got := host.Cut(t); got != 2 {
		t.Errorf("%d processes of sshd ended, want the 2 of one connection", got)
	}
	if err := session.Wait(); err == nil {
		t.Error("the session ended well, want it cut")
	}
	if err := os.WriteFile(host.Home()+"/go", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, host.Home()+"/done")
	if _, err := dial(t, host, host.KnownHosts(t)); err != nil {
		t.Errorf("after the cut: %v", err)
	}
}

func TestSSHD_StopAndStart(t *testing.T) {
	host := StartSSHD(t)
	host.Stop(t)
	if connection, err := net.Dial("tcp", host.Addr()); err == nil {
		connection.Close()
		t.Error("connected to a stopped sshd")
	}
	host.Start(t)
	if _, err := dial(t, host, host.KnownHosts(t)); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestSSHD_RebootEndsWhatRunsUnderAnotherBootID(t *testing.T) {
	t.Parallel()
	host := StartSSHD(t, WithUser("rb-reboot"), WithBoots())
	ask := func() string { return run(t, host.Client(t)[0], append(host.Client(t)[1:], "cat "+bootFile)...) }
	before := ask()
	if ask() != before {
		t.Error("the boot ID changed without a reboot")
	}
	run(t, host.Client(t)[0], append(host.Client(t)[1:], "nohup sleep 4242 >/dev/null 2>&1 &")...)
	if len(processesOf(host.account.Uid)) == 0 {
		t.Fatal("nothing runs that could be ended")
	}
	host.Reboot(t)
	if left := processesOf(host.account.Uid); len(left) > 0 {
		t.Errorf("these outlived it: %v", left)
	}
	if ask() == before {
		t.Error("the boot ID is the former one")
	}
	if own, err := os.ReadFile(bootFile); err != nil || strings.TrimSpace(string(own)) == before {
		t.Errorf("this machine's boot ID is %q, %v", own, err)
	}
}

func TestSSHD_FrozenTakesConnectionsAndSaysNothing(t *testing.T) {
	t.Parallel()
	host := StartSSHD(t)
	host.Freeze(t)
	connection, err := net.DialTimeout("tcp", host.Addr(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := connection.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("it said something")
	}
	host.Stop(t)
	host.Start(t)
	if !greets(host.Addr()) {
		t.Error("it doesn't greet after it was started again")
	}
}

func TestBuild_GivesARunnableBinary(t *testing.T) {
	out, err := exec.Command(Build(t, "rollbackbot/internal/realhost/app"), "nonsense").CombinedOutput()
	if err == nil || !strings.Contains(string(out), `no role "nonsense"`) {
		t.Errorf("ended with %v: %s", err, out)
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("no %s", path)
}
