package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// refusing is a host on which every command ends with status 1 and these words.
type refusing string

func (r refusing) Run(context.Context, runbook.Command, []byte) (status int, stdout, stderr []byte, err error) {
	return 1, nil, []byte(r), nil
}

// An engine that doesn't answer has not said that an image is missing: on a host that boots all of them would be pulled.
func TestMissingImages_AreNotThoseThatNobodyCouldAskFor(t *testing.T) {
	a := runbook.App{Docker: []string{"docker"}, Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}}}
	wanted := []runbook.Image{runbooktest.Image("api", 1)}
	missing := func(says string) ([]runbook.Image, error) {
		states, err := (&appHost{app: a, shell: refusing(says)}).Images(t.Context(), wanted, false)
		return runbook.MissingOf(states), err
	}
	lacks, err := missing("Cannot connect to the Docker daemon. Is the docker daemon running?")
	if !errors.Is(err, runbook.ErrNoEngine) {
		t.Errorf("%v are missing, %v; want that the engine doesn't answer", lacks, err)
	}
	lacks, err = missing("Error: No such image: " + wanted[0].String())
	if err != nil || len(lacks) != 1 {
		t.Errorf("%v are missing, %v; want the one", lacks, err)
	}
}

// What runs has one name and one digest, whatever docker calls it.
func TestResolve(t *testing.T) {
	const index, platform, config = "sha256:1111111111111111111111111111111111111111111111111111111111111111", "sha256:2222222222222222222222222222222222222222222222222222222222222222", "sha256:3333333333333333333333333333333333333333333333333333333333333333"
	for name, c := range map[string]struct {
		ref, id string
		digests []string
		want    string
	}{
		"docker shortens Docker Hub's names":     {"docker.io/acme/api@" + index, config, []string{"acme/api@" + index}, "acme/api@" + index},
		"index.docker.io":                        {"index.docker.io/library/nginx@" + index, config, []string{"nginx@" + index}, "nginx@" + index},
		"a long name with a tag":                 {"docker.io/acme/api:v1", config, []string{"acme/api@" + index}, "acme/api@" + index},
		"by the index, pulled by both":           {"acme/api@" + index, config, []string{"acme/api@" + platform, "acme/api@" + index}, "acme/api@" + index},
		"by the platform's manifest":             {"acme/api@" + platform, config, []string{"acme/api@" + index, "acme/api@" + platform}, "acme/api@" + platform},
		"from a mirror's name too":               {"acme/api:v1", config, []string{"mirror.lan/acme/api@" + index, "acme/api@" + index}, "acme/api@" + index},
		"containerd's store: the ID is an index": {"acme/api@" + index, index, []string{"acme/api@" + index}, "acme/api@" + index},
		"its name was removed":                   {"acme/api@" + index, config, nil, "acme/api@" + index},
		"built there":                            {"shop-api", config, nil, ""},
	} {
		s := sight{images: map[string]imageView{c.id: {ID: c.id, Digests: c.digests}}}
		if got, note := s.resolve(container{ImageID: c.id, Ref: c.ref}); got.String() != c.want || (note == "") != (c.want != "") {
			t.Errorf("%s: it is %s (%s), want %s", name, got, note, c.want)
		}
	}
}

// The room that counts is where the images are: docker's folder, or that of the containerd that has them.
func TestLookAround_RoomWhereTheImagesAre(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "sh", "-c", "[ -d /dev/shm ] && [ -d /proc/self ] && command -v df && command -v sed").Run(); err != nil {
		t.Skip("this machine has no such disks")
	}
	size := func(folder string) string {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `df -Pk "$0" | tail -n 1 | awk '{print $2}'`, folder).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	folder := t.TempDir()
	config := filepath.Join(folder, "config.toml")
	if err := os.WriteFile(config, []byte("version = 2\nroot = \"/dev/shm\"\nstate = \"/run/containerd\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const classic, snapshots = `[["Backing Filesystem","extfs"]]`, `[["driver-type","io.containerd.snapshotter.v1"]]`
	for name, c := range map[string]struct{ status, address, want string }{
		"docker's own store":            {classic, "/run/containerd/containerd.sock", folder},
		"the system's containerd":       {snapshots, "/run/containerd/containerd.sock", "/dev/shm"},
		"a docker that can't say whose": {snapshots, "", "/dev/shm"},
		"a containerd of docker's own":  {snapshots, "/var/run/docker/containerd/containerd.sock", folder},
		"a containerd of rootless ones": {snapshots, "/run/user/1000/docker/containerd/containerd.sock", folder},
	} {
		docker := filepath.Join(folder, "docker")
		script := fmt.Sprintf("#!/bin/sh\ncase $* in *DockerRootDir*) echo %s ;; *DriverStatus*) echo '%s' ;; *Containerd*) echo '%s' ;; esac\n", folder, c.status, c.address)
		if err := writeProgram(docker, script); err != nil {
			t.Fatal(err)
		}
		cmd := lookAround(runbook.App{Dir: folder, Docker: []string{docker}}, launch{files: []string{"compose.yml"}, pins: ".env"})
		for i := range cmd.Args {
			cmd.Args[i] = strings.ReplaceAll(cmd.Args[i], "/etc/containerd/config.toml", config)
		}
		run := exec.CommandContext(t.Context(), cmd.Args[0], cmd.Args[1:]...)
		run.Dir = folder
		out, err := run.Output()
		if got := fieldsOf(out); err != nil || got["disk_kib"] != size(c.want) || got["free_kib"] == "" {
			t.Errorf("%s: a disk of %s KiB, %v; want that of %s", name, got["disk_kib"], err, c.want)
		}
	}
}

// writeProgram writes a file that is started, while nobody else starts one: that would have it open for a moment.
func writeProgram(file, content string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(file, []byte(content), 0o755)
}

// onThisMachine runs commands here, whose docker is a script.
type onThisMachine struct{ folder string }

func (m onThisMachine) Run(ctx context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	run := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	run.Dir, run.Env = m.folder, append(os.Environ(), cmd.Env...)
	var errs bytes.Buffer
	run.Stderr = &errs
	stdout, err = run.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, nil, nil, err
	}
	return run.ProcessState.ExitCode(), stdout, errs.Bytes(), nil
}

// One command sees what docker lists, whatever was guessed, and what the pins say.
func TestSee_InOneCommand(t *testing.T) {
	for name, c := range map[string]struct {
		there, guess string // the containers' IDs
		docker       string // what it does first
		file         string // the pins file; "" for none
		sees         string // the IDs of what was inspected
		pins         string
		fails        string
	}{
		"as guessed":                          {there: "a1 b2", guess: "a1 b2", file: "API_IMAGE=x\nSECRET=y\n", sees: "a1 b2", pins: "x"},
		"nothing was guessed":                 {there: "a1 b2", file: "API_IMAGE=x\n", sees: "a1 b2", pins: "x"},
		"another one than was guessed":        {there: "a1 c3", guess: "a1 b2", file: "API_IMAGE=x\n", sees: "a1 c3", pins: "x"},
		"one more than was guessed":           {there: "a1 b2 c3", guess: "a1 b2", file: "API_IMAGE=x\n", sees: "a1 b2 c3", pins: "x"},
		"what was guessed is gone":            {there: "", guess: "a1 b2", file: "API_IMAGE=x\n", pins: "x"},
		"nothing is there":                    {file: "API_IMAGE=x\n", pins: "x"},
		"no pins file":                        {there: "a1", sees: "a1", pins: "absent"},
		"a docker that warns":                 {there: "a1", guess: "b2", docker: "echo WARNING: old >&2", file: "API_IMAGE=x\n", sees: "a1", pins: "x"},
		"a docker that is killed as it looks": {there: "a1", guess: "a1", docker: "[ $1 = ps ] || exit 137", fails: "inspect the containers"},
		"a docker that is killed once":        {there: "a1", guess: "a1", docker: "[ $1 = ps ] || [ -e once ] || { : >once; exit 137; }", file: "API_IMAGE=x\n", sees: "a1", pins: "x"},
		"a docker that refuses":               {there: "a1", guess: "a1", docker: "echo permission denied >&2; exit 1", fails: "list the containers"},
		"a docker that prints other text":     {there: "a1", docker: "echo hello", fails: "printed something unexpected"},
		"no docker":                           {there: "a1", docker: "rm -f \"$0\"; exit 127", fails: "isn't found in a login shell"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "there"), []byte(strings.ReplaceAll(c.there, " ", "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			if c.file != "" {
				if err := os.WriteFile(filepath.Join(folder, "pins"), []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			const script = `case $1 in
ps) cat there ;;
inspect)
  shift 3 # inspect --format FORMAT
  for id; do
    if grep -qx "$id" there; then echo "{\"id\":\"$id\"}"; else echo "Error: No such object: $id" >&2; missing=1; fi
  done
  exit ${missing:-0} ;;
esac`
			docker := filepath.Join(folder, "docker")
			if err := writeProgram(docker, "#!/bin/sh\n"+c.docker+"\n"+script+"\n"); err != nil {
				t.Fatal(err)
			}
			h := &appHost{app: runbook.App{Docker: []string{docker}, Compose: []string{docker, "compose"}, Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}}}, host: one, shell: onThisMachine{folder}}
			all, ids, pins, err := h.see(t.Context(), "shop", strings.Fields(c.guess), "pins")
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want it to fail: %s", err, c.fails)
				}
				return
			}
			var sees []string
			for _, one := range all {
				sees = append(sees, one.ID)
			}
			if err != nil || strings.Join(sees, " ") != c.sees || strings.Join(ids, " ") != c.there {
				t.Errorf("it sees %q of %q, %v; want %q of %q", sees, ids, err, c.sees, c.there)
			}
			if len(pins) != 1 || pins[0].Absent != (c.pins == "absent") || !pins[0].Absent && pins[0].Value != c.pins {
				t.Errorf("the pins are %+v, want %s", pins, c.pins)
			}
		})
	}
}
