package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// recorder is a test that notes how it was ended.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper() {}

func (r *recorder) Skip(args ...any) {
	r.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.failed = fmt.Sprint(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

func (r *recorder) Errorf(format string, args ...any) { r.failed = fmt.Sprintf(format, args...) }

// ended runs a look for a part as a test of its own would, and gives how that test was ended.
func ended(t *testing.T, look func(testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		look(r)
	}()
	<-done
	return r
}

// bareMachine is an environment in which no part can be found.
func bareMachine(t *testing.T) (skips string) {
	t.Helper()
	skips = filepath.Join(t.TempDir(), "skips")
	t.Setenv("PATH", t.TempDir())
	t.Setenv("CI", "")
	t.Setenv(nodeVariable, t.TempDir())
	t.Setenv(skippedVariable, skips)
	return skips
}

func TestMissingPart_SkipsAndNotesOneLine(t *testing.T) {
	skips := bareMachine(t)
	for part, look := range map[string]func(testing.TB){
		"Chromium":                           func(tb testing.TB) { Chromium(tb) },
		"curl":                               func(tb testing.TB) { Curl(tb) },
		"OpenSSH client":                     func(tb testing.TB) { SSHKeygen(tb) },
		"Slack's client @slack/bolt on Node": func(tb testing.TB) { Bolt(tb) },
	} {
		got := ended(t, look)
		if !strings.HasPrefix(got.skipped, "missing part: "+part+" (") || !strings.HasSuffix(got.skipped, "remedy: make parts") {
			t.Errorf("%s: skipped with %q, want the part and its remedy", part, got.skipped)
		}
		if strings.Contains(got.skipped, "\n") {
			t.Errorf("%s: skipped with %q, want one line", part, got.skipped)
		}
		noted, err := os.ReadFile(skips)
		if err != nil || !strings.Contains(string(noted), got.skipped+"\n") {
			t.Errorf("%s: noted %q (%v), want the line of the skip in it", part, noted, err)
		}
	}
}

func TestHostRoots_SaysHowToBuildThem(t *testing.T) {
	bareMachine(t)
	t.Setenv(hostsVariable, "1")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	look := func(tb testing.TB) { HostRoots(tb) }
	if got := ended(t, look); !strings.HasSuffix(got.skipped, "remedy: make hosts") {
		t.Errorf("without any: skipped with %q, want its remedy", got.skipped)
	}
	folder, err := HostsFolder()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "trixie_26.1.5_2.26.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := FindHostRoot("trixie")
	if err != nil || root.Engine != "26.1.5" || root.Compose != "2.26.1" {
		t.Errorf("found %+v, %v", root, err)
	}
	t.Setenv(hostsVariable, "")
	if got := ended(t, look); !strings.Contains(got.skipped, hostsVariable) {
		t.Errorf("asked by nobody: skipped with %q, want the variable that asks", got.skipped)
	}
}

func TestMissingPart_FailsInCI(t *testing.T) {
	bareMachine(t)
	t.Setenv("CI", "true")
	got := ended(t, func(tb testing.TB) { Chromium(tb) })
	if got.skipped != "" || !strings.Contains(got.failed, "make parts") {
		t.Errorf("skipped %q, failed %q; want a failure with the remedy", got.skipped, got.failed)
	}
}

func TestManifestSchema(t *testing.T) {
	bareMachine(t)
	t.Setenv("CI", "true") // not a part that can be installed: a skip even here
	t.Setenv(schemaVariable, "")
	if got := ended(t, func(tb testing.TB) { ManifestSchema(tb) }); !strings.Contains(got.skipped, schemaVariable) {
		t.Errorf("without the variable: skipped %q, want its name", got.skipped)
	}
	t.Setenv(schemaVariable, filepath.Join(t.TempDir(), "absent.json"))
	if got := ended(t, func(tb testing.TB) { ManifestSchema(tb) }); got.failed == "" {
		t.Error("a variable that names no file did not fail the test")
	}
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(schemaVariable, file)
	if got := ManifestSchema(t); got != file {
		t.Errorf("got %q, want %q", got, file)
	}
}

func TestBolt_PrefersTheNodeBesideThePackages(t *testing.T) {
	bareMachine(t)
	folder := os.Getenv(nodeVariable)
	write := func(mode os.FileMode, content string, path ...string) string {
		t.Helper()
		file := filepath.Join(append([]string{folder, "node_modules"}, path...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write(0o600, "{}", "@slack", "bolt", "package.json")
	node := write(0o755, "#!/bin/sh\necho v22.1.0\n", ".bin", "node")
	gotNode, gotModules := Bolt(t)
	if gotNode != node || gotModules != filepath.Join(folder, "node_modules") {
		t.Errorf("got %q and %q, want %q and its folder", gotNode, gotModules, node)
	}
	write(0o755, "#!/bin/sh\necho v18.20.4\n", ".bin", "node")
	if got := ended(t, func(tb testing.TB) { Bolt(tb) }); !strings.Contains(got.skipped, "older than 20") {
		t.Errorf("with Node 18: skipped %q, want the reason", got.skipped)
	}
}

func TestComposeNewEnough(t *testing.T) {
	for version, want := range map[string]bool{
		"5.6.0": true, "v2.21.0": true, "2.21": true, "2.40.3-desktop.1": true, "10.0.0": true, "2.21-rc.1": true,
		"2.20.3": false, "1.29.2": false, "": false, "dev": false, "v": false, "2": false, "2.x": false, "2a.21": false, "$(exit 3).1": false,
	} {
		err := composeNewEnough(version)
		if got := err == nil; got != want {
			t.Errorf("composeNewEnough(%q) = %v, want %v", version, got, want)
		}
		if err != nil && !strings.Contains(err.Error(), version) {
			t.Errorf("composeNewEnough(%q) says %q", version, err)
		}
	}
}
