package compose

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollbackbot/internal/compose/dotenv"
	"rollbackbot/runbook"
)

// The commands that look at a host, and how what they print is read. None of them changes anything. Each costs 20 to
// 30 ms, those of compose about 100 ms (measured).

func docker(a runbook.App, args ...string) runbook.Command {
	return runbook.Command{Args: append(slices.Clone(a.Docker), args...), Dir: a.Dir}
}

// compose calls compose by a launch's words.
func compose(a runbook.App, launch []string, args ...string) runbook.Command {
	return runbook.Command{Args: slices.Concat(a.Compose, launch, args), Dir: a.Dir}
}

func engineVersion(a runbook.App) runbook.Command {
	return docker(a, "version", "--format", "{{.Server.Version}}")
}

func enginePlatform(a runbook.App) runbook.Command {
	return docker(a, "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
}

func composeVersion(a runbook.App) runbook.Command {
	return runbook.Command{Args: append(slices.Clone(a.Compose), "version", "--short"), Dir: a.Dir}
}

// render prints the stack as compose would bring it up with these values of the planned variables.
// It holds the stack's secrets: only image, scale and the like are kept of it, by parseRendered.
// With services it is those and what they depend on, whatever their profiles: naming one activates its own, as for `up`
// (docs.docker.com/compose/how-tos/profiles; since 2.0).
func render(a runbook.App, launch []string, pins []runbook.Pin, services ...string) runbook.Command {
	cmd := compose(a, launch, append([]string{"config", "--format", "json"}, services...)...)
	cmd.Env = exports(pins)
	return cmd
}

// configHashes prints compose's hash of each service with these values of the planned variables.
func configHashes(a runbook.App, launch []string, pins []runbook.Pin) runbook.Command {
	cmd := compose(a, launch, "config", "--hash", "*")
	cmd.Env = exports(pins)
	return cmd
}

func exports(pins []runbook.Pin) []string {
	var env []string
	for _, pin := range pins {
		env = appendOnce(env, pin.Variable+"="+pin.Value)
	}
	return env
}

// seeProject prints in one command what runs of a compose project, and what the pins say where a file is given. The guessed
// containers are inspected while docker lists those that are there; where these are others, or that failed, they are inspected after it,
// behind a line "again". A line "seen" with the statuses of both and the IDs ends that; behind it come the lines of the
// file, by readPinLines, whose status this is.
func seeProject(a runbook.App, project string, guess []string, pins string) runbook.Command {
	const script = `set -f
inspected=0
if [ -n "$guess" ]; then "$@" inspect --format "$format" $guess & fi
ids=$("$@" ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project")
listed=$?
if [ -n "$guess" ]; then wait "$!"; inspected=$?; fi
ids=$(echo $ids)
if [ "$listed" = 0 ] && [ -n "$ids" ] && { [ "$ids" != "$guess" ] || [ "$inspected" != 0 ]; }; then
  echo again
  "$@" inspect --format "$format" $ids
  inspected=$?
fi
echo seen "$listed" "$inspected" $ids
[ -n "$file" ] || exit 0
` + printPinLines
	return runbook.Command{
		Args: slices.Concat([]string{"sh", "-c", script, "rollbackbot"}, a.Docker), Dir: a.Dir,
		Env: []string{"project=" + project, "guess=" + strings.Join(guess, " "), "format=" + containerFormat, "file=" + pins, "lines=" + dotenv.PinLines(variables(a))},
	}
}

// projectSeen is what seeProject printed.
type projectSeen struct {
	listed, inspected int // the statuses of docker's commands
	ids               []string
	containers, pins  []byte
}

// readSeen reads it. A command that did not come to its end has listed nothing.
func readSeen(r result) projectSeen {
	seen := projectSeen{listed: cmp.Or(r.status, 1)}
	for rest := r.stdout; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		if words := strings.Fields(string(line)); len(words) > 2 && words[0] == "seen" {
			seen.listed, _ = strconv.Atoi(words[1]) // the script writes numbers
			seen.inspected, _ = strconv.Atoi(words[2])
			seen.ids, seen.pins = words[3:], rest
			return seen
		}
		if seen.containers = append(append(seen.containers, line...), '\n'); string(line) == "again" {
			seen.containers = nil
		}
	}
	return seen
}

// inspectContainers prints one JSON object a container: only what is listed, since the rest holds the app's secrets.
func inspectContainers(a runbook.App, ids []string) runbook.Command {
	return docker(a, append([]string{"inspect", "--format", containerFormat}, ids...)...)
}

// docker reads .ID from its own types, in which Health may be missing; with .Id, as its JSON has it, it falls back to
// that JSON, where a container without a HEALTHCHECK has no such key and the whole template fails (seen with 20.10).
const containerFormat = `{"id":{{json .ID}},"name":{{json .Name}},"image_id":{{json .Image}},"ref":{{json .Config.Image}},` +
	`"restarts":{{.RestartCount}},"state":{{json .State.Status}},` +
	`"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}},` +
	`"service":{{json (index .Config.Labels "com.docker.compose.service")}},` +
	`"oneoff":{{json (index .Config.Labels "com.docker.compose.oneoff")}},` +
	`"config_hash":{{json (index .Config.Labels "com.docker.compose.config-hash")}},` +
	`"made_by":{{json (index .Config.Labels "com.docker.compose.version")}},` +
	`"created":{{json .Created}},"begun":{{json .State.StartedAt}},` +
	`"network":{{json .HostConfig.NetworkMode}},"ipc":{{json .HostConfig.IpcMode}},"pid":{{json .HostConfig.PidMode}},"volumes_from":{{json .HostConfig.VolumesFrom}},` +
	`"project":{{json (index .Config.Labels "com.docker.compose.project")}},` +
	`"files":{{json (index .Config.Labels "com.docker.compose.project.config_files")}},` +
	`"folder":{{json (index .Config.Labels "com.docker.compose.project.working_dir")}},` +
	`"env_files":{{json (index .Config.Labels "com.docker.compose.project.environment_file")}}}`

// inspectImages prints one JSON object for each of the images that the host has; the others only cost the status.
func inspectImages(a runbook.App, refs []string) runbook.Command {
	return docker(a, append([]string{"image", "inspect", "--format", imageFormat}, refs...)...)
}

// Of an image's configuration only two labels leave the host: its environment may hold secrets. An image without labels
// has none to index where docker reads .ID from its own types, and nothing at all in its JSON. 200 characters are
// more than any usable label has, which BuildOf sees to.
const imageFormat = `{"id":{{json .ID}},"tags":{{json .RepoTags}},"digests":{{json .RepoDigests}},"size":{{.Size}},"layers":{{json .RootFS.Layers}},` +
	`"revision":{{with .Config}}{{with .Labels}}{{with index . "` + runbook.LabelRevision + `"}}{{printf "%.200s" . | json}}{{else}}""{{end}}{{else}}""{{end}}{{else}}""{{end}},` +
	`"version":{{with .Config}}{{with .Labels}}{{with index . "` + runbook.LabelVersion + `"}}{{printf "%.200s" . | json}}{{else}}""{{end}}{{else}}""{{end}}{{else}}""{{end}}}`

// readManifest asks the registry for an image's manifest, with the host's own login.
func readManifest(a runbook.App, image runbook.Image) runbook.Command {
	return docker(a, append(manifestInspect(image), image.String())...)
}

// readManifests asks for those of all platforms of an index, with their layers.
func readManifests(a runbook.App, image runbook.Image) runbook.Command {
	return docker(a, append(manifestInspect(image), "--verbose", image.String())...)
}

func manifestInspect(image runbook.Image) []string {
	words := []string{"manifest", "inspect"}
	if loopback(image.Name) {
		// The engine itself speaks plain HTTP to registries on loopback; this command has to be told.
		words = append(words, "--insecure")
	}
	return words
}

func loopback(name string) bool {
	return strings.HasPrefix(name, "127.") || strings.HasPrefix(name, "localhost:") || strings.HasPrefix(name, "localhost/")
}

// pull fetches one image by its digest.
func pull(a runbook.App, image runbook.Image) runbook.Command {
	return docker(a, "pull", image.String())
}

// up replaces the containers of the named services, and of no others; images are not pulled by it. Of a dependent that is
// named compose sees by itself that what it shares belongs to a container that is gone.
func up(a runbook.App, launch []string, plan runbook.HostPlan) runbook.Command {
	words := []string{"up", "-d", "--no-deps", "--pull", "never"}
	var names []string
	add := func(service string, scale int) {
		if names = append(names, service); scale > 0 {
			words = append(words, "--scale", service+"="+strconv.Itoa(scale))
		}
	}
	for _, s := range plan.Services {
		add(s.Service, s.Scale)
	}
	for _, d := range plan.Replaced() {
		add(d.Service, d.Scale)
	}
	return compose(a, launch, append(words, names...)...)
}

// restart restarts the containers of the dependents that are to be; zero where there are none.
func restart(a runbook.App, launch []string, plan runbook.HostPlan) runbook.Command {
	words := []string{"restart"}
	for _, d := range plan.Restarted() {
		words = append(words, d.Service)
	}
	if len(words) == 1 {
		return runbook.Command{}
	}
	return compose(a, launch, words...)
}

// lookAround prints, as key=value lines, what a rollback needs of the host besides docker: tools, folder, pins file, and
// the free room on the disk of the images. That is docker's own folder, unless docker keeps them in containerd's store (a
// choice since 24, the default of new 29s, whatever data-root says) and that is the system's containerd; one that dockerd
// started by itself has its socket in a folder of docker's and its root in DockerRootDir/containerd (moby's
// daemon/command/daemon.go, initializeContainerd; https://github.com/docker/cli/issues/6645). Versions that can't say where
// the socket is (API before 1.46) are taken for the system's. The pins file is named as an absolute path with its links resolved, also where it isn't
// there yet: the runbook's `export` leaves none. Whether it can be replaced is tried, by a file of zeros beside it that is
// gone again at once: what becomes of owner and mode, and whether there is room, nobody can tell by looking. What can be
// written beside may still not be taken away: a file on which something is mounted (rename(2), EBUSY) and one that chattr
// holds (EPERM) are looked for. The folder of the locks is tried, too. Of the files that compose has to read it names the last
// that can't be.
func lookAround(a runbook.App, l launch) runbook.Command {
	const script = `exported="" dangling=""
for name in $pins; do printenv "$name" >/dev/null 2>&1 && exported="$exported $name"; done
missing=""
for tool in flock timeout sha256sum readlink stat chown chmod tail head mv cp; do command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"; done
[ -r /proc/uptime ] || missing="$missing /proc/uptime"
printf "%s\n" "missing=$missing" "exported=$exported"
count=$1
shift
while [ "$count" -gt 0 ]; do
  [ -r "$1" ] || printf "%s\n" "unreadable=$1"
  count=$((count - 1))
  shift
done
unset CDPATH
LC_ALL=C
export LC_ALL
file=$1
if [ -e "$file" ] || [ -L "$file" ]; then
  link=$file file=$(readlink -f "$file")
  [ -n "$file" ] || dangling=$(readlink "$link")
else
  folder=$(cd "$(dirname "$file")" 2>/dev/null && pwd -P) && file=${folder%/}/$(basename "$file")
fi
[ -n "$file" ] && folder=$(dirname "$file") || folder=
printf "%s\n" "env_file=${file:-$1}" "dangling=$dangling" "user=$(id -un):$(id -gn)"
try=$file.rollbackbot.$$ why=
tidy() { rm -f "$try"; }
trap tidy EXIT
attempt() {
  why=$( (umask 077; head -c 65536 /dev/zero >"$try") 2>&1) && return
  why=${why##*: } disk=$(df -P "$(dirname "$try")" 2>/dev/null | awk "END {print \$6}")
  return 1
}
written() {
  attempt && return
  printf "%s\n" pins=unwritable "why=$why" "disk=$disk"
  return 1
}
held() { why=$(lsattr -d "$1" 2>/dev/null); case ${why%% *} in *[ia]*) ;; *) return 1 ;; esac; }
mounted() {
  at=$(printf "%s" "$1" | sed "s/\\\\/\\\\134/g; s/ /\\\\040/g; s/\t/\\\\011/g")
  cut -d " " -f 5 /proc/self/mountinfo 2>/dev/null | grep -qxF -e "$at"
}
if [ ! -d "$folder" ]; then
  printf "%s\n" pins=no-folder
elif [ ! -e "$file" ]; then
  printf "%s\n" env=absent
  written && printf "%s\n" pins=replaceable
elif [ ! -f "$file" ]; then
  printf "%s\n" pins=no-file
elif [ ! -r "$file" ]; then
  printf "%s\n" pins=unreadable
elif mounted "$file"; then
  printf "%s\n" pins=mounted
elif held "$file"; then
  printf "%s\n" pins=held
elif written; then
  owner=$(stat -c %u:%g "$file") mode=$(stat -c %a "$file")
  chown "$owner" "$try" 2>/dev/null
  chmod "$mode" "$try" 2>/dev/null
  if [ "$(stat -c %u:%g:%a "$try")" = "$owner:$mode" ]; then
    printf "%s\n" pins=replaceable
  else
    printf "%s\n" pins=owner "owner=$(stat -c "%U:%G, mode %a" "$file")"
    case " $(id -G) " in *" ${owner#*:} "*) printf "%s\n" group=kept ;; esac
  fi
fi
locks=$HOME/.rollbackbot/$app
while [ ! -e "$locks" ] && [ "$locks" != "$HOME" ]; do locks=$(dirname "$locks"); done
tidy
try=$locks/.rollbackbot.$$
attempt || printf "%s\n" "locks=$locks" "locks_why=$why" "locks_disk=$disk"
[ ! -e "$locks/lock" ] || [ -w "$locks/lock" ] || printf "%s\n" "locks=$locks/lock" "locks_why=Permission denied"
tidy
printf "%s\n" "clock=$(date +%s)"
shift
root=$("$@" info --format "{{.DockerRootDir}}" 2>/dev/null)
case $("$@" info --format "{{json .DriverStatus}}" 2>/dev/null) in *io.containerd.snapshotter*)
  case $("$@" info --format "{{with .Containerd}}{{.Address}}{{end}}" 2>/dev/null) in */docker/*) ;; *)
    store=$(sed -n "s/^root *= *[\"']\([^\"']*\)[\"'].*/\1/p" /etc/containerd/config.toml 2>/dev/null)
    [ -d "$store" ] || store=/var/lib/containerd
    [ -d "$store" ] && root=$store ;;
  esac
esac
[ -n "$root" ] && df -Pk "$root" 2>/dev/null | tail -n 1 | awk "{print \"disk_kib=\" \$2; print \"free_kib=\" \$4}"
exit 0`
	files := slices.Concat(l.files, l.envFiles)
	words := append([]string{"sh", "-c", script, "rollbackbot", strconv.Itoa(len(files))}, files...)
	return runbook.Command{Args: slices.Concat(words, []string{l.pins}, a.Docker), Dir: a.Dir, Env: []string{"app=" + a.Name, "pins=" + strings.Join(variables(a), " ")}}
}

// variables are those by which the app's images are pinned, each once.
func variables(a runbook.App) (all []string) {
	for _, service := range a.Services {
		all = appendOnce(all, service.Variable)
	}
	return all
}

// fileAbsent is how readFile and readPinLines end where there is no such file.
const fileAbsent = 3

// readFile prints a file. It is used for the pins file, which holds secrets: what it prints stays in memory.
func readFile(a runbook.App, path string) runbook.Command {
	return runbook.Command{Args: []string{"sh", "-c", `[ -e "$0" ] || exit 3; exec cat "$0"`, path}, Dir: a.Dir}
}

// readPinLines prints the pins file, with nothing of its other variables but where they stand.
func readPinLines(a runbook.App, file string) runbook.Command {
	return runbook.Command{Args: []string{"sh", "-c", printPinLines}, Dir: a.Dir, Env: []string{"file=" + file, "lines=" + dotenv.PinLines(variables(a))}}
}

const printPinLines = `[ -e "$file" ] || exit 3; exec env LC_ALL=C sed -E "$lines" "$file"`

// container is what inspectContainers prints of one.
type container struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	ImageID    string `json:"image_id"`
	Ref        string `json:"ref"`
	Restarts   int    `json:"restarts"`
	State      string `json:"state"`
	Health     string `json:"health"` // "" where it has no HEALTHCHECK
	Service    string `json:"service"`
	OneOff     string `json:"oneoff"` // compose writes True and False
	ConfigHash string `json:"config_hash"`
	MadeBy     string `json:"made_by"` // the version of compose

	Created time.Time `json:"created"`
	Begun   time.Time `json:"begun"` // when it was started last

	// With whom it shares something: "container:" and an ID or a name, or else nobody.
	Network     string   `json:"network"`
	IPC         string   `json:"ipc"`
	PID         string   `json:"pid"`
	VolumesFrom []string `json:"volumes_from"` // IDs or names, with a mode behind a colon

	// How it was started.
	Project  string `json:"project"`
	Files    string `json:"files"`
	Folder   string `json:"folder"`
	EnvFiles string `json:"env_files"`
}

func (c container) oneOff() bool { return strings.EqualFold(c.OneOff, "true") }

// runs reports whether it runs, or would in a moment.
func (c container) runs() bool {
	return c.State == "running" || c.State == "restarting" || c.State == "paused"
}

// imageView is what inspectImages prints of one.
type imageView struct {
	ID       string           `json:"id"`      // of its configuration; with containerd's store the digest of its index or manifest
	Tags     []string         `json:"tags"`    // with their names, too
	Digests  []string         `json:"digests"` // with their names; several where it was pulled under several
	Size     int64            `json:"size"`
	Layers   []runbook.Digest `json:"layers"`   // of what they unpack to, the lowest first
	Revision string           `json:"revision"` // its labels, as they are: BuildOf checks them
	Version  string           `json:"version"`
}

// images are the names that the image has, each a repository's one name.
func (v imageView) images() (all []runbook.Image) {
	for _, ref := range v.Digests {
		if image, err := runbook.ParseImage(ref); err == nil {
			all = appendOnce(all, image)
		}
	}
	return all
}

func (v imageView) imagesOf(repository string) []runbook.Image {
	return slices.DeleteFunc(v.images(), func(image runbook.Image) bool { return image.Name != repository })
}

// is reports whether that is one of its names.
func (v imageView) is(image runbook.Image) bool {
	return slices.Contains(v.images(), image.Canonical())
}

// Lines reads JSON lines, as docker prints them by a --format.
func Lines[T any](output []byte) ([]T, error) {
	var all []T
	for line := range bytes.Lines(output) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("docker printed something unexpected: %w", err)
		}
		all = append(all, one)
	}
	return all, nil
}

// rendered is all that is kept of `config`'s output.
type rendered struct {
	Project  string
	Services map[string]renderedService
	Unset    []string          // variables that compose warns about: it would run with blanks
	Strict   map[string]string // by placeholder, where one stands in which no reference may
}

type renderedService struct {
	Image     string
	Scale     int
	Restarts  bool     // it is meant to run for long
	Variables []string // the names in its environment
	Profiles  []string
	Hidden    bool // none of its profiles is active
	dependencies
}

func parseRendered(r result) (rendered, error) {
	var file struct {
		Name     string `json:"name"`
		Services map[string]struct {
			Image   string `json:"image"`
			Scale   *int   `json:"scale"`
			Restart string `json:"restart"`
			Deploy  struct {
				Replicas *int `json:"replicas"`
			} `json:"deploy"`
			Environment map[string]any `json:"environment"`
			Profiles    []string       `json:"profiles"`
			dependencies
		} `json:"services"`
	}
	if err := json.Unmarshal(r.stdout, &file); err != nil {
		return rendered{}, fmt.Errorf("compose printed no JSON: %w", err)
	}
	out := rendered{Project: file.Name, Services: map[string]renderedService{}, Unset: unsetVariables(r.stderr), Strict: strictPlaces(r.stdout)}
	for name, s := range file.Services {
		service := renderedService{Image: s.Image, Scale: 1, Restarts: s.Restart != "" && s.Restart != "no", Profiles: s.Profiles, dependencies: s.dependencies}
		if s.Deploy.Replicas != nil {
			service.Scale = *s.Deploy.Replicas
		}
		if s.Scale != nil {
			service.Scale = *s.Scale
		}
		for variable := range s.Environment {
			service.Variables = append(service.Variables, variable)
		}
		out.Services[name] = service
	}
	return out, nil
}

func parseHashes(output []byte) map[string]string {
	hashes := map[string]string{}
	for line := range strings.Lines(string(output)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			hashes[fields[0]] = fields[1]
		}
	}
	return hashes
}

// layerList is the part of a manifest that says how large the image is.
type layerList struct {
	Layers []struct {
		Size int64 `json:"size"`
	} `json:"layers"`
}

func (l layerList) size() (sum int64) {
	for _, layer := range l.Layers {
		sum += layer.Size
	}
	return sum
}

// manifestSize adds up the layers that a manifest lists, in bytes; 0 for an index, which names none.
func manifestSize(output []byte) int64 {
	var manifest layerList
	if json.Unmarshal(output, &manifest) != nil {
		return 0
	}
	return manifest.size()
}

// manifestsSize is the size of an index's largest image for a platform, as "linux/amd64", in what readManifests prints
// (cli/manifest/types/types.go in docker/cli); 0: not known.
func manifestsSize(output []byte, platform string) (size int64) {
	var manifests []struct {
		Descriptor struct {
			Platform struct {
				OS           string `json:"os"`
				Architecture string `json:"architecture"`
			} `json:"platform"`
		}
		SchemaV2Manifest, OCIManifest layerList
	}
	if json.Unmarshal(output, &manifests) != nil {
		return 0
	}
	for _, m := range manifests {
		if of := m.Descriptor.Platform; of.OS+"/"+of.Architecture == platform {
			size = max(size, m.SchemaV2Manifest.size(), m.OCIManifest.size())
		}
	}
	return size
}
