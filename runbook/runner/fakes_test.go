package runner

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/compose"
	"rollbackbot/runbook"
)

// fakeHost is a host with an engine, a compose project, and a home folder for the locks. A command that nobody expects
// fails the test.
type fakeHost struct {
	t    *testing.T
	app  runbook.App
	name runbook.Host

	mu         sync.Mutex
	env        string              // the file of the pins
	images     map[string]bool     // references that lie on the host
	registry   map[string]bool     // references that could be pulled
	containers map[string][]string // service → the reference of each container
	restarts   map[string]int      // by service
	lease      map[string]string   // nil: no file
	boot       int                 // since when it runs, as the boot id in a lease says it
	sudo       bool                // docker is run by sudo: nobody else may end it
	dockerAt   time.Time           // until then docker is not there yet
	jobs       map[string]*fakeJob
	ups        []string // the epoch and rollback of every `up` that ran
	down       bool     // nothing answers
	upFails    int      // so many times `up` ends with status 1 and changes nothing
	upStatus   int      // how `up` ends although it replaced containers
	hangs      bool     // nothing is refused, and nothing comes back
	// foreignAfterPins is what api runs as soon as the pins are written: somebody deployed by hand in between.
	foreignAfterPins string
	pullFails        bool
	logsHang         bool                     // docker doesn't answer when it is asked for logs
	exported         map[string]string        // variables of the login shell, which win over the file
	labels           map[string]runbook.Label // of images, by reference
}

type fakeJob struct {
	output string
	status int
	endsAt time.Time
	state  string // why it left no status: restarted or killed; "": it left one
	gone   bool   // its folder was removed
	// cutShort makes of what it did what is there where it was killed in the middle.
	cutShort func()
}

// never is how long a host is away that doesn't come back.
const never = 365 * 24 * time.Hour

// dockerStarts is how long docker takes after sshd, on a host that boots.
const dockerStarts = 20 * time.Second

// reboot ends what runs on the host, which is back after a while; its disk is as it was.
func (h *fakeHost) reboot(back time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.boot++
	h.down, h.dockerAt = true, time.Now().Add(back+dockerStarts)
	for _, job := range h.jobs {
		if now := time.Now(); now.Before(job.endsAt) {
			job.endsAt, job.state = now, "restarted"
			job.cutShort()
		}
	}
	time.AfterFunc(back, func() { h.set(func() { h.down = false }) })
}

// set changes the host as somebody else would.
func (h *fakeHost) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func newFakeHost(t *testing.T, app runbook.App, name runbook.Host, running map[string]runbook.Image, here ...map[string]runbook.Image) *fakeHost {
	h := &fakeHost{
		t: t, app: app, name: name, images: map[string]bool{}, registry: map[string]bool{}, containers: map[string][]string{},
		restarts: map[string]int{}, jobs: map[string]*fakeJob{}, exported: map[string]string{},
		env: "# the shop\nSECRET=hunter2\n",
	}
	for _, images := range append(here, running) {
		for _, image := range images {
			h.images[image.String()], h.registry[image.String()] = true, true
		}
	}
	for _, s := range app.Services {
		h.env += s.Variable + "=" + running[s.Name].String() + "\n"
		h.containers[s.Name] = []string{running[s.Name].String()}
	}
	return h
}

func (h *fakeHost) Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, out, errs []byte, err error) {
	time.Sleep(20 * time.Millisecond) // what docker takes
	if err := ctx.Err(); err != nil {
		return 0, nil, nil, fmt.Errorf("%w: %w", runbook.ErrLost, err)
	}
	if h.hangs {
		<-ctx.Done()
		return 0, nil, nil, fmt.Errorf("%w: %w", runbook.ErrLost, ctx.Err())
	}
	if h.logsHang && len(cmd.Args) > 5 && cmd.Args[5] == "logs" {
		<-ctx.Done()
		return 0, nil, nil, fmt.Errorf("%w: %w", runbook.ErrLost, ctx.Err())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return 0, nil, nil, &runbook.HostError{Host: h.name, Unreachable: true, Problem: "it does not answer", Remedy: "wait"}
	}
	if cmd.Args[0] == "docker" && time.Now().Before(h.dockerAt) {
		return 1, nil, []byte("Cannot connect to the Docker daemon. Is the docker daemon running?"), nil
	}
	stdout, stderr, status := h.answer(cmd, stdin)
	return status, []byte(stdout), []byte(stderr), nil
}

func (h *fakeHost) answer(cmd runbook.Command, stdin []byte) (stdout, stderr string, status int) {
	words := cmd.Args
	line := strings.Join(words, " ")
	switch {
	case len(words) > 4 && words[3] == "rollbackbot" && words[0] == "sh" && !strings.HasPrefix(words[2], "missing="):
		return h.guard(words[4], words[5:], stdin)
	case len(words) > 2 && words[0] == "sh" && strings.HasPrefix(words[2], "missing="):
		return "missing=\ncompose_file=yes\nenv_file=" + h.app.Dir + "/infra/.env\npins=replaceable\nfree_kib=9999999\n", "", 0
	case len(words) > 3 && words[0] == "sh" && strings.HasPrefix(words[2], `[ -e "$0" ] || exit 3; exec `):
		return h.env, "", 0
	case line == "docker version --format {{.Server.Version}}":
		return "20.10.24\n", "", 0
	case line == "docker compose version --short":
		return "5.6.0\n", "", 0
	case strings.HasSuffix(line, "config --format json"):
		return h.render(cmd.Env), "", 0
	case strings.HasSuffix(line, "config --hash *"):
		return h.hashes(cmd.Env), "", 0
	case strings.HasPrefix(line, "docker ps --all --quiet") && !strings.HasSuffix(line, ".project=shop"):
		return "", "", 0
	case strings.HasPrefix(line, "docker ps --all --quiet"):
		return strings.Join(h.ids(), "\n"), "", 0
	case strings.HasPrefix(line, "docker inspect --format {\"id\""):
		return h.inspect(words[4:])
	case strings.HasPrefix(line, "docker image inspect --format"):
		return h.inspectImages(words[5:])
	case strings.HasPrefix(line, "docker manifest inspect"):
		if !h.registry[words[len(words)-1]] {
			return "", "manifest unknown", 1
		}
		return `{"layers":[{"size":1000}]}`, "", 0
	case strings.HasPrefix(line, "docker pull "):
		return h.pull(words[2])
	case len(words) > 5 && words[5] == "logs":
		return h.log(words[8]), "", 0
	}
	h.t.Errorf("%s: nobody expected the command %s", h.name, cmd)
	return "", "unexpected", 64
}

// log is what a container printed.
func (h *fakeHost) log(id string) string {
	if !slices.Contains(h.ids(), id) {
		return "Error: No such container: " + id + "\n" + "rollbackbot: docker logs ended with status 1\n"
	}
	return id + " listens\npanic: TOKEN=hunter2\n"
}

func (h *fakeHost) values(env []string) map[string]string {
	values := map[string]string{}
	for _, pin := range compose.ReadPins([]byte(h.env), h.app) {
		values[pin.Variable] = pin.Value
	}
	for name, value := range h.exported {
		values[name] = value
	}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return values
}

func (h *fakeHost) render(env []string) string {
	values := h.values(env)
	services := map[string]any{"db": map[string]any{"image": "postgres:15", "restart": "always"}}
	for _, s := range h.app.Services {
		services[s.Name] = map[string]any{"image": values[s.Variable], "restart": "always"}
	}
	text, _ := json.Marshal(map[string]any{"name": "shop", "services": services})
	return string(text)
}

func (h *fakeHost) hashes(env []string) string {
	values := h.values(env)
	var lines []string
	for _, s := range h.app.Services {
		lines = append(lines, s.Name+" "+hashOf(values[s.Variable]))
	}
	return strings.Join(lines, "\n")
}

func hashOf(ref string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(ref))) }

func (h *fakeHost) ids() []string {
	var ids []string
	for _, s := range h.app.Services {
		for i := range h.containers[s.Name] {
			ids = append(ids, h.containerID(s.Name, i))
		}
	}
	return ids
}

// containerID is another one as soon as the container is replaced.
func (h *fakeHost) containerID(service string, i int) string {
	return fmt.Sprintf("%s-%d-%s", service, i, hashOf(h.containers[service][i])[:12])
}

func (h *fakeHost) inspect(ids []string) (stdout, stderr string, status int) {
	var lines []string
	for _, id := range ids {
		words := strings.Split(id, "-")
		service := words[0]
		i, _ := strconv.Atoi(words[1])
		if i >= len(h.containers[service]) || h.containerID(service, i) != id {
			stderr, status = stderr+"Error: No such object: "+id+"\n", 1
			continue
		}
		ref := h.containers[service][i]
		text, _ := json.Marshal(map[string]any{"id": id, "service": service, "ref": ref, "image_id": "id:" + ref, "state": "running", "oneoff": "False", "config_hash": hashOf(ref), "restarts": h.restarts[service]})
		lines = append(lines, string(text))
	}
	return strings.Join(lines, "\n"), stderr, status
}

func (h *fakeHost) inspectImages(refs []string) (stdout, stderr string, status int) {
	var lines []string
	for _, ref := range refs {
		ref = strings.TrimPrefix(ref, "id:")
		if !h.images[ref] {
			status, stderr = 1, "Error: No such image: "+ref
			continue
		}
		text, _ := json.Marshal(map[string]any{"id": "id:" + ref, "digests": []string{ref}, "revision": h.labels[ref].Revision, "version": h.labels[ref].Version})
		lines = append(lines, string(text))
	}
	return strings.Join(lines, "\n"), stderr, status
}

func (h *fakeHost) pull(ref string) (stdout, stderr string, status int) {
	if h.pullFails || !h.registry[ref] {
		return "", "manifest unknown", 1
	}
	h.images[ref] = true
	return "pulled", "", 0
}

// guard keeps the rules of guard.sh, which has its own test with a real shell.
func (h *fakeHost) guard(verb string, args []string, stdin []byte) (stdout, stderr string, status int) {
	switch verb {
	case "show":
		return h.show()
	case "force":
		return h.force(args[1:])
	case "take":
		return h.take(args[1:])
	case "follow":
		return h.follow(args[1:])
	}
	if h.lease == nil {
		return "", "", 76
	}
	if h.lease["rollback"] != args[1] || h.lease["epoch"] != args[2] {
		return h.leaseText(), "", 75
	}
	switch verb {
	case "release":
		h.lease["until"] = "0"
		return "", "", 0
	case "pin":
		if hashOf(h.env) != args[4] {
			return "", "", 78
		}
		h.env = string(stdin)
		if h.foreignAfterPins != "" {
			h.images[h.foreignAfterPins] = true
			h.containers["api"] = []string{h.foreignAfterPins}
		}
		return "", "", 0
	case "stop":
		if job := h.jobs[args[1]+args[3]]; job != nil && time.Now().Before(job.endsAt) {
			job.endsAt, job.status = time.Now(), 143
		}
		return "", "", 0
	case "act":
		return h.act(args[1:])
	}
	h.t.Errorf("%s: the guard has no verb %q", h.name, verb)
	return "", "", 64
}

func (h *fakeHost) leaseText() string {
	var lines []string
	for _, key := range runbook.SortedKeys(h.lease) {
		lines = append(lines, key+"="+h.lease[key])
	}
	until, _ := strconv.ParseInt(h.lease["until"], 10, 64)
	return strings.Join(lines, "\n") + fmt.Sprintf("\nleft=%d\n", max(0, until-time.Now().Unix()))
}

func (h *fakeHost) show() (stdout, stderr string, status int) {
	if h.runningJob() != nil {
		stdout = "running=yes\n"
	}
	switch {
	case h.lease == nil:
		return stdout, "", 76
	case h.lease["epoch"] == "":
		return stdout + h.leaseText(), "", 77
	}
	return stdout + h.leaseText(), "", 0
}

func (h *fakeHost) force(args []string) (stdout, stderr string, status int) {
	if h.sudo && h.runningJob() != nil {
		return "theirs=41: docker compose up -d\n" + h.leaseText(), "", 73
	}
	if job := h.runningJob(); job != nil {
		stdout, job.endsAt, job.status = "killed=docker compose up -d\n", time.Now(), 143
	}
	h.lease = map[string]string{"rollback": args[0], "epoch": args[1], "until": "0", "holder": args[2], "since": args[3], "reason": args[4]}
	return stdout, "", 0
}

func (h *fakeHost) take(args []string) (stdout, stderr string, status int) {
	rollback, epoch, first := args[0], args[1], args[2]
	lasts, _ := strconv.ParseInt(args[4], 10, 64)
	if job := h.runningJob(); job != nil {
		return h.leaseText(), "", 73
	}
	mine, _ := strconv.Atoi(epoch)
	switch {
	case h.lease == nil && first == "0":
		return "", "", 76
	case h.lease != nil && h.lease["epoch"] == "":
		return h.leaseText(), "", 77
	case h.lease != nil:
		theirs, _ := strconv.Atoi(h.lease["epoch"])
		until, _ := strconv.ParseInt(h.lease["until"], 10, 64)
		if h.lease["rollback"] != rollback && h.lease["boot"] == strconv.Itoa(h.boot) && time.Now().Unix() < until {
			return h.leaseText(), "", 74
		}
		if mine < theirs || mine == theirs && h.lease["rollback"] != rollback {
			return h.leaseText(), "", 75
		}
	}
	h.lease = map[string]string{"rollback": rollback, "epoch": epoch, "boot": strconv.Itoa(h.boot), "until": strconv.FormatInt(time.Now().Unix()+lasts, 10), "holder": args[5], "since": args[6], "reason": args[7]}
	return "", "", 0
}

func (h *fakeHost) runningJob() *fakeJob {
	for _, job := range h.jobs {
		if time.Now().Before(job.endsAt) {
			return job
		}
	}
	return nil
}

// act starts a job. What it does is done at once; that it ended is known 2 s later.
func (h *fakeHost) act(args []string) (stdout, stderr string, status int) {
	rollback, epoch, name, words := args[0], args[1], args[2], args[6:]
	if h.jobs[rollback+name] != nil {
		return "", "", 0
	}
	if h.runningJob() != nil {
		return h.leaseText(), "", 73
	}
	job := &fakeJob{endsAt: time.Now().Add(2 * time.Second), cutShort: func() {}}
	h.jobs[rollback+name] = job
	line := strings.Join(words, " ")
	switch {
	case strings.HasPrefix(line, "docker pull "):
		job.output, _, job.status = h.pull(words[2])
		job.cutShort = func() { delete(h.images, words[2]) }
	case strings.Contains(line, " up -d --no-deps --pull never "):
		before := maps.Clone(h.containers)
		job.status = h.up(rollback+" "+epoch, words[slices.Index(words, "never")+1:])
		job.cutShort = func() { h.containers["worker"], h.containers["web"] = nil, before["web"] }
	default:
		h.t.Errorf("%s: nobody expected the job %s", h.name, line)
	}
	return "", "", 0
}

// upsRun is who ran `up` so far.
func (h *fakeHost) upsRun() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ups)
}

func (h *fakeHost) up(who string, services []string) int {
	h.ups = append(h.ups, who)
	if h.upFails > 0 {
		h.upFails--
		return 1
	}
	values := h.values(nil)
	for _, s := range h.app.Services {
		if slices.Contains(services, s.Name) {
			h.containers[s.Name] = slices.Repeat([]string{values[s.Variable]}, h.scale(s.Name, services))
		}
	}
	return h.upStatus
}

// scale is how many containers an `up` makes of a service; one that ends badly leaves one.
func (h *fakeHost) scale(service string, words []string) int {
	for _, word := range words {
		if number, ok := strings.CutPrefix(word, service+"="); ok && h.upStatus == 0 {
			n, _ := strconv.Atoi(number)
			return n
		}
	}
	return 1
}

func (h *fakeHost) follow(args []string) (stdout, stderr string, status int) {
	job := h.jobs[args[0]+args[1]]
	switch {
	case job == nil || job.gone:
		return "", "", 72
	case time.Now().Before(job.endsAt):
		return "", "state=running\n", 0
	}
	if job.state != "" {
		return "", "state=" + job.state + "\n", 0
	}
	offset, _ := strconv.Atoi(args[2])
	return job.output[min(offset, len(job.output)):], fmt.Sprintf("state=%d\n", job.status), 0
}

// fakeHealth answers by what the hosts' api runs.
type fakeHealth struct {
	hosts map[runbook.Host]*fakeHost
	sick  map[string]bool // references whose /health is 503
}

func (f fakeHealth) Check(_ context.Context, _, _ string) (int, error) {
	for _, h := range f.hosts {
		h.mu.Lock()
		sick, down := f.sick[h.containers["api"][0]], h.down
		h.mu.Unlock()
		if sick && !down {
			return 503, nil
		}
	}
	return 200, nil
}

// fakePeople are who they are, by their IDs.
type fakePeople map[string]runbook.Roles

func (f fakePeople) Roles(_ context.Context, person string) (runbook.Roles, error) {
	roles, ok := f[person]
	if !ok {
		return runbook.Roles{Person: person, Barred: "a guest"}, nil
	}
	roles.Person = person
	return roles, nil
}

// fakeSlack keeps what was posted.
type fakeSlack struct {
	mu    sync.Mutex
	posts []runbook.Notice
	shown map[string]runbook.Notice // what each message shows now, by its key
	away  map[string]error          // what Post answers for messages to a person
	lives []string                  // what was said to happen right now, in updates
	lose  int                       // so many answers of Post are lost after the message was taken
	down  bool
	stuck map[runbook.NoticeKind]time.Duration // how long such notices take
}

var errSlack = errors.New("slack doesn't answer")

func (f *fakeSlack) Post(_ context.Context, n runbook.Notice) (runbook.Post, error) {
	time.Sleep(50*time.Millisecond + f.stuck[n.Kind])
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return runbook.Post{}, errSlack
	}
	if err := f.away[n.To]; err != nil && n.To != "" {
		return runbook.Post{}, err
	}
	f.posts = append(f.posts, n)
	f.show(n)
	if f.lose > 0 {
		f.lose--
		return runbook.Post{}, errSlack
	}
	return runbook.Post{Channel: "C1", TS: strconv.Itoa(len(f.posts))}, nil
}

func (f *fakeSlack) Find(_ context.Context, n runbook.Notice, _ time.Time) (runbook.Post, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return runbook.Post{}, false, errSlack
	}
	for i, p := range f.posts {
		if p.Key == n.Key && p.Rollback.ID == n.Rollback.ID {
			return runbook.Post{Channel: "C1", TS: strconv.Itoa(i + 1)}, true, nil
		}
	}
	return runbook.Post{}, false, nil
}

func (f *fakeSlack) Update(_ context.Context, _ runbook.Post, n runbook.Notice) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return errSlack
	}
	f.lives = append(f.lives, n.Live.Line)
	f.show(n)
	return nil
}

func (f *fakeSlack) show(n runbook.Notice) {
	if f.shown == nil {
		f.shown = map[string]runbook.Notice{}
	}
	f.shown[n.Key] = n
}

// openIn reports whether a message shows its question as open.
func (f *fakeSlack) openIn(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.shown[key]
	return ok && !n.Final()
}

// fakeRoster is who has which role.
type fakeRoster map[runbook.Role][]string

func (f fakeRoster) Members(_ context.Context, role runbook.Role, _ int) ([]string, error) {
	return f[role], nil
}

func (f *fakeSlack) count(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, p := range f.posts {
		if p.Key == key {
			n++
		}
	}
	return n
}
