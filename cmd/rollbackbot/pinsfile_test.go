package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rollbackbot/internal/realhost"
)

// TestWhole_WithoutAPinsFile is the host as the runbook's own step 2 leaves it: images come by `export`, and no `.env`
// was ever there. The rollback makes one, and from then on anybody's `up` stays with the target.
func TestWhole_WithoutAPinsFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stack.WithoutEnv(t)
	w.exports(t, "v1")
	w.note(t, "v1", "none")
	w.note(t, "v2", "yes")
	w.exports(t, "v2")
	before := w.stack.Containers(t)
	if plan := w.mustRun(t, "plan", w.app, "--to", "v1"); !strings.Contains(plan, w.stack.EnvFile()) {
		t.Errorf("the plan doesn't say that it writes %s:\n%s", w.stack.EnvFile(), plan)
	}
	if _, err := os.Lstat(w.stack.EnvFile()); !os.IsNotExist(err) {
		t.Fatalf("a plan made the pins file: %v", err)
	}

	w.serve(t, nil)
	w.connected(t)
	w.types(t, onCall, "/rollback "+w.app+" to v1 migration yes because v2 answers 503")
	request, _ := w.request(t, 1)
	w.clicks(t, lead, request.TS, "signoff_in_place")
	if got := parseRecord(t, w.finish(t, 1)); got.Outcome != "succeeded" {
		t.Fatalf("the rollback ended as %q:\n%s", got.Outcome, w.transcript())
	}
	w.runs(t, "v1")
	w.untouched(t, before)
	if got, want := w.stack.Env(t), pinLines(w.stack.Images("v1")); got != want {
		t.Errorf("the pins file is\n%s\nwant\n%s", got, want)
	}
	w.ownedBy(t, "deploy", "deploy", 0o644)

	running := w.stack.Containers(t)
	w.stack.Shell(t, "docker compose -f infra/docker-compose.prod.yml up -d --no-deps --scale worker="+strconv.Itoa(realhost.Workers)+" api worker web")
	if got := w.stack.Containers(t); !equalContainers(got, running) {
		t.Errorf("an `up` by hand changed what runs to\n%+v\nfrom\n%+v", got, running)
	}
}

// TestWhole_PinsFileOfAnotherOwner has a pins file that CI owns and the group may write. Replacing it would change its
// owner: that is found before anybody is asked, and who follows the remedy is let through.
func TestWhole_PinsFileOfAnotherOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.brokenRelease(t)
	ci := realhost.Account(t, "ci")
	deploy := realhost.Account(t, realhost.DefaultUser)
	chown(t, w.stack.EnvFile(), ci.Uid, deploy.Gid)
	if err := os.Chmod(w.stack.EnvFile(), 0o664); err != nil {
		t.Fatal(err)
	}
	folder := w.entries(t)

	w.serve(t, nil)
	w.connected(t)
	w.types(t, onCall, "/rollback "+w.app+" to v1 migration yes because v2 answers 503")
	w.told(t, onCall, 0, "belongs to ci:deploy, mode 664")
	if asked, _ := requests(w.slack.Snapshot()); len(asked) > 0 {
		t.Fatalf("somebody was asked:\n%s", w.transcript())
	}
	if got := w.entries(t); !slices.Equal(got, folder) {
		t.Errorf("the preflight left something behind: %q, before %q", got, folder)
	}

	// The remedy is followed as it stands there.
	private := w.slack.Snapshot().Private(onCall)
	remedy := regexp.MustCompile(`chown \S+ \S*` + regexp.QuoteMeta(w.stack.EnvFile())).FindString(private[len(private)-1].Text)
	if remedy == "" {
		t.Fatalf("no remedy in\n%s", w.transcript())
	}
	if out, err := exec.Command("sh", "-c", remedy).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", remedy, err, out)
	}
	w.types(t, onCall, "/rollback "+w.app+" to v1 migration yes because v2 answers 503")
	request, _ := w.request(t, 1)
	w.clicks(t, lead, request.TS, "signoff_in_place")
	if got := parseRecord(t, w.finish(t, 1)); got.Outcome != "succeeded" {
		t.Fatalf("the rollback ended as %q:\n%s", got.Outcome, w.transcript())
	}
	w.runs(t, "v1")
	w.ownedBy(t, "deploy", "deploy", 0o664)
	if records := ofKind(w.slack.Snapshot(), "rollback_record"); len(records) != 1 {
		t.Errorf("%d records, want one", len(records))
	}
}

// TestPlan_SaysWhyThePinsFileCantBeReplaced has everything wrong with a pins file that can be: each has its own sentence,
// and the remedy in it is followed.
func TestPlan_SaysWhyThePinsFileCantBeReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.brokenRelease(t)
	env := w.stack.EnvFile()
	folder := env[:strings.LastIndexByte(env, '/')]
	outside := appVariable(w.app, "ENV_FILE")
	for _, c := range []struct {
		what, before string // a line for root
		changes      map[string]string
		want         string
		remedy       string // as it is printed; run by root
	}{
		{"a folder that the SSH user may not write into", "chown root " + folder + " && chmod 755 " + folder, nil,
			"no file can be written into its folder", "chown deploy " + folder},
		{"a file that the SSH user may not read", "chown root " + env + " && chmod 600 " + env, nil,
			"can't be read by the SSH user", "chown deploy " + env},
		{"a file of another owner and group", "chown root:root " + env + " && chmod 644 " + env, nil,
			"belongs to root:root, mode 644", "chown deploy:deploy " + env},
		{"a folder that isn't there", "true", map[string]string{outside: w.stack.Dir + "/shared/.env"},
			"there is no such folder", "mkdir -p " + w.stack.Dir + "/shared"},
	} {
		if out, err := exec.Command("sh", "-c", c.before).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c.before, err, out)
		}
		p := w.with(c.changes)
		status, _, stderr := p.run(t, "plan", w.app, "--to", "v1")
		if status != 1 || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, c.remedy) {
			t.Errorf("%s: status %d, want 1, %q and %q:\n%s", c.what, status, c.want, c.remedy, stderr)
			continue
		}
		if out, err := exec.Command("sh", "-c", c.remedy).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c.remedy, err, out)
		}
		if c.changes != nil {
			continue // compose doesn't read that file, which is another problem
		}
		p.mustRun(t, "plan", w.app, "--to", "v1")
	}
}

// exports deploys a version as the runbook's step 2 does.
func (w *world) exports(tb testing.TB, version string) {
	tb.Helper()
	line := ""
	for service, ref := range w.stack.Images(version) {
		line += fmt.Sprintf("export %s_IMAGE=%s; ", strings.ToUpper(service), ref)
	}
	w.stack.Shell(tb, line+"docker compose -f infra/docker-compose.prod.yml up -d --scale worker="+strconv.Itoa(realhost.Workers))
}

func pinLines(images map[string]string) string {
	var lines strings.Builder
	for _, service := range realhost.Services() {
		fmt.Fprintf(&lines, "%s_IMAGE=%s\n", strings.ToUpper(service), images[service])
	}
	return lines.String()
}

func chown(tb testing.TB, file, uid, gid string) {
	tb.Helper()
	u, err := strconv.Atoi(uid)
	if err != nil {
		tb.Fatal(err)
	}
	g, err := strconv.Atoi(gid)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(file, u, g); err != nil {
		tb.Fatal(err)
	}
}

func (w *world) ownedBy(tb testing.TB, owner, group string, mode os.FileMode) {
	tb.Helper()
	info, err := os.Stat(w.stack.EnvFile())
	if err != nil {
		tb.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		tb.Fatal("no owner can be read here")
	}
	u, err := user.LookupId(strconv.Itoa(int(stat.Uid)))
	if err != nil {
		tb.Fatal(err)
	}
	g, err := user.LookupGroupId(strconv.Itoa(int(stat.Gid)))
	if err != nil {
		tb.Fatal(err)
	}
	if u.Username != owner || g.Name != group || info.Mode().Perm() != mode {
		tb.Errorf("the pins file belongs to %s:%s, mode %o; want %s:%s, mode %o", u.Username, g.Name, info.Mode().Perm(), owner, group, mode)
	}
}

// entries are the names in the pins file's folder.
func (w *world) entries(tb testing.TB) (names []string) {
	tb.Helper()
	all, err := os.ReadDir(w.stack.EnvFile()[:strings.LastIndexByte(w.stack.EnvFile(), '/')])
	if err != nil {
		tb.Fatal(err)
	}
	for _, entry := range all {
		names = append(names, entry.Name())
	}
	return names
}
