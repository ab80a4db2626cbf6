package shapes

import (
	"archive/tar"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/hostlab"
)

// appFolder is where the app of every shape is.
const appFolder = "/opt/shop"

// shop is the registry's content: both releases under all the names that shapes use.
type shop struct {
	lab    *hostlab.Lab
	words  []string          // what is replaced in shapes, by what
	digest map[string]string // by kind, role and version: sha256:…
}

// repository is before the role in an image's name.
type repository struct {
	name string
	form hostlab.Form
	gone bool // the manifests below the indexes of v1 were deleted, as by a clean-up of what has no tag
	// weight is what the manifests of v1 say of their layer, in bytes; 0: what it has.
	weight int64
}

var repositories = []repository{
	{name: "shop/", form: hostlab.Docker}, {name: "acme/", form: hostlab.Docker}, {name: "library/shop-", form: hostlab.Docker},
	{name: "oci/", form: hostlab.OCI}, {name: "gone/", form: hostlab.OCI, gone: true},
	{name: "heavy/", form: hostlab.OCI, weight: 100 << 40},
}

// kind tells repositories apart in which one image has different digests.
func (r repository) kind() string { return fmt.Sprint(r.form, r.weight) }

// roles are the images of a release.
var roles = []string{"api", "worker", "web", "db"}

var versions = []string{"v1", "v2"}

func newShop(t *testing.T, lab *hostlab.Lab) *shop {
	t.Helper()
	s := &shop{lab, []string{"@registry@", lab.Registry()}, map[string]string{}}
	for _, in := range repositories {
		for _, role := range roles {
			for _, version := range versions {
				s.push(t, in, role, version)
			}
		}
	}
	return s
}

func (s *shop) push(t *testing.T, in repository, role, version string) {
	t.Helper()
	app := hostlab.App{Role: role, Version: version, Sick: role == "api" && version == "v2", Form: in.form}
	if version == "v1" {
		app.Weight = in.weight
	}
	ref, err := s.lab.Push(in.name+role, version, app)
	if err != nil {
		t.Fatal(err)
	}
	_, digest, _ := strings.Cut(ref, "@")
	s.digest[in.kind()+role+"."+version] = digest
	if in.gone && version == "v1" {
		if err := s.lab.DeleteChildren(ref); err != nil {
			t.Fatal(err)
		}
	}
	if in == repositories[0] {
		s.words = append(s.words, "@"+role+"."+version+"@", ref, "@digest."+role+"."+version+"@", digest)
	}
}

// digestIn is the digest of a role's image of v1, as it lies in a shape's repository.
func (s *shop) digestIn(repository, role string) string {
	lies := repositories[0]
	for _, in := range repositories {
		if strings.HasSuffix(repository, "/"+in.name) {
			lies = in
		}
	}
	return s.digest[lies.kind()+role+".v1"]
}

// stage is a host on which one shape after the other is laid. Beside it lives somebody else's project on the same images.
type stage struct {
	*hostlab.Host
	*shop
	images *strings.Replacer
}

// newStage boots the host and starts the other project.
func newStage(t *testing.T, s *shop, g hostlab.Generation) *stage {
	t.Helper()
	h := s.lab.Start(t, g)
	on := &stage{h, s, strings.NewReplacer(append(slices.Clone(s.words), "@ip@", h.Addr())...)}
	on.Script(t, on.images.Replace(neighbour))
	return on
}

// neighbour is a project of somebody else, which runs the failed release's images, too, and a container that nobody's
// compose made.
const neighbour = `mkdir -p /opt/blog && cd /opt/blog && cat >docker-compose.yml <<'FILE'
name: blog
services:
  api: {image: "@api.v2@", restart: always}
  worker: {image: "@worker.v2@", restart: always, scale: 2}
FILE
docker compose up -d && docker run --detach --name lonely --restart always @db.v2@`

// reset removes what the former shape left: all containers but the neighbour's, the account, its files.
func (s *stage) reset(t *testing.T) {
	t.Helper()
	s.Script(t, `set -e
for id in $(docker ps --all --quiet); do
	case $(docker inspect --format '{{.Name}} {{index .Config.Labels "com.docker.compose.project"}}' "$id") in
	"/lonely "*|*" blog") ;;
	*) docker rm --force --volumes "$id" ;;
	esac
done
docker network ls --quiet --filter label=com.docker.compose.project | while read -r id; do docker network rm "$id" || true; done
docker volume ls --quiet | xargs --no-run-if-empty docker volume rm --force
chattr -R -ia /opt/shop 2>/dev/null || true
pkill -9 -u deploy || true
pkill -9 -u ci || true
if [ -e /root/laid ]; then xargs rm -rf </root/laid; rm /root/laid; fi
mount | sed -n 's#.* on \(/opt/shop[^ ]*\|/home/deploy[^ ]*\) .*#\1#p' | xargs --no-run-if-empty umount
[ ! -e /usr/bin/flock.away ] || mv /usr/bin/flock.away /usr/bin/flock
rm -rf /opt/shop /srv/shop
userdel --remove --force deploy || true
useradd --uid 61000 --create-home --shell /bin/bash --groups docker deploy
usermod --password '*' deploy
mkdir /opt/shop
`)
}

// lay puts the shape on the host, and has its team deploy v2.
func (s *stage) lay(t *testing.T, shape Shape) {
	t.Helper()
	s.reset(t)
	var wrapped bytes.Buffer
	w := tar.NewWriter(&wrapped)
	var laid strings.Builder
	for name, f := range shape.files(t) {
		content := []byte(s.images.Replace(string(f.content)))
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if !f.app {
			fmt.Fprintln(&laid, name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.Feed(t, "tar --extract --absolute-names --no-same-owner && chown -R deploy:deploy /opt/shop", &wrapped)
	if laid.Len() > 0 {
		s.Feed(t, "cat >/root/laid; grep '^/home/deploy/' /root/laid | xargs --no-run-if-empty chown deploy:deploy", strings.NewReader(laid.String()))
	}
	s.pull(t)
	s.asRoot(t, shape.Setup)
	s.Script(t, "usermod --shell "+shape.Shell+" deploy")
	s.team(t, shape.Deploy)
	s.asRoot(t, shape.After)
	if shape.Absent {
		s.removeRelease(t, "v1")
	}
}

// asRoot runs a script of a shape.
func (s *stage) asRoot(t *testing.T, script []string) {
	t.Helper()
	if len(script) > 0 {
		s.Script(t, "set -e\n"+s.images.Replace(strings.Join(script, "\n")))
	}
}

// team has the team type a line.
func (s *stage) team(t *testing.T, line string) {
	t.Helper()
	s.Login(t, "deploy", "cd "+appFolder+" && "+s.images.Replace(line))
}

// pull sees to it that both releases are on the host, as after the deployments of both.
func (s *stage) pull(t *testing.T) {
	t.Helper()
	var script strings.Builder
	for _, role := range roles {
		for _, version := range versions {
			ref := s.images.Replace("@" + role + "." + version + "@")
			tag := s.lab.Registry() + "/shop/" + role + ":" + version
			fmt.Fprintf(&script, "docker image inspect %s >/dev/null 2>&1 || docker pull --quiet %[1]s || exit\n", ref)
			fmt.Fprintf(&script, "docker image inspect %s >/dev/null 2>&1 || docker pull --quiet %[1]s || exit\n", tag)
		}
	}
	s.Script(t, script.String())
}

// removeRelease removes a release's images from the host, under all their names.
func (s *stage) removeRelease(t *testing.T, version string) {
	t.Helper()
	s.Script(t, "docker image ls --quiet --no-trunc --filter label=org.opencontainers.image.version="+version+" | sort -u | xargs --no-run-if-empty docker rmi --force")
}

// release is v1 as the bot is told of it, by service.
func (s *stage) release(shape Shape) map[string]string {
	images := map[string]string{}
	for service := range shape.planned() {
		if role, there := shape.Images[service]; there {
			images[service] = s.images.Replace(shape.Repository) + role + "@" + s.digestIn(shape.Repository, role)
		}
	}
	return images
}
