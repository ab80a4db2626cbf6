package shapes

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The words of Right.
const (
	succeeds = "succeeds" // the rollback is accepted and succeeds
	refused  = "refused"  // nobody is asked; when Follow is done, it succeeds
	either   = "either"   // one of the two
)

// Shape is one way in which a team has set its app up, as shape.json says it.
type Shape struct {
	Name string `json:"-"`
	// About is what is special, in a line for the table.
	About string
	// Like names a shape whose files lie below this one's.
	Like string
	// Shell is the login shell of deploy; empty: /bin/bash.
	Shell string
	// Setup is a script for root, after the files were laid and before the team deploys.
	Setup []string
	// Deploy is what the team types in /opt/shop, as deploy, to deploy what the files say.
	Deploy string
	// Again is typed after the rollback, and has to change nothing; empty: Deploy.
	Again string
	// After is a script for root, after the team has deployed.
	After []string
	// Config is the app's part of the bot's environment, as in "IMAGES".
	Config map[string]string
	// Images are the services that have to be rolled back, and by which role's image: {"scheduler": "worker"}.
	Images map[string]string
	// Repository is before the role in the names that the bot is told of release v1; empty: "@registry@/shop/".
	Repository string
	// Absent removes the images of v1 from the host before anybody asks.
	Absent bool
	// Moves are other services that may be replaced or restarted, since they hang on one that is.
	Moves []string
	// Right is what should come of it.
	Right string
	// Says is what a refusal has to name, case aside.
	Says []string
	// Warns is what the plan has to say, where it is accepted.
	Warns []string
	// Never is what neither plan nor refusal may say.
	Never []string
	// Final says that a refusal's remedy is to choose another release: this one can't be had.
	Final bool
	// Follow is what a person does who follows the refusal's remedy.
	Follow Follow
	// Check is a script for root that has to end with status 0 after the rollback.
	Check []string
	// Hosts are the generations that the shape is for; empty: all.
	Hosts []string
	// App are files that a drawn shape has in the app's folder, by name, and no folder of testdata.
	App map[string]string `json:"-"`
}

// Follow is a remedy.
type Follow struct {
	Setup  []string          // by root
	Deploy string            // by deploy
	Config map[string]string // changes of Config
}

// shapesFolder has a folder for each shape.
const shapesFolder = "testdata/shapes"

// load reads all shapes, by name.
func load(t *testing.T) []Shape {
	t.Helper()
	folders, err := os.ReadDir(shapesFolder)
	if err != nil {
		t.Fatal(err)
	}
	var all []Shape
	for _, folder := range folders {
		content, err := os.ReadFile(filepath.Join(shapesFolder, folder.Name(), "shape.json"))
		if err != nil {
			t.Fatal(err)
		}
		strict := json.NewDecoder(bytes.NewReader(content))
		strict.DisallowUnknownFields()
		s := Shape{Name: folder.Name(), Right: succeeds, Shell: "/bin/bash", Images: map[string]string{"api": "api", "worker": "worker", "web": "web"}, Repository: "@registry@/shop/"}
		var own map[string]json.RawMessage
		if err := json.Unmarshal(content, &own); err == nil && own["Images"] != nil {
			s.Images = nil // and not merged with them
		}
		if err := strict.Decode(&s); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		s.check(t)
		all = append(all, s)
	}
	return all
}

// check fails the test where a shape says something that could not be tried.
func (s Shape) check(t *testing.T) {
	t.Helper()
	switch {
	case s.About == "" || s.Deploy == "":
		t.Fatalf("%s says neither what it is about nor how its team deploys", s.Name)
	case !slices.Contains([]string{succeeds, refused, either}, s.Right):
		t.Fatalf("%s: what is right can't be %q", s.Name, s.Right)
	case s.Right != succeeds && (len(s.Says) == 0 || s.Follow.empty() != s.Final):
		t.Fatalf("%s: a refusal has to name something and to have a remedy", s.Name)
	}
}

func (f Follow) empty() bool { return len(f.Setup) == 0 && f.Deploy == "" && len(f.Config) == 0 }

// file is a file of a shape.
type file struct {
	path    string // on the host
	content []byte
	app     bool // the team's, and not root's
}

// files are those of the shape and of the one that it is like, by path. One that was drawn has no folder.
func (s Shape) files(t *testing.T) map[string]file {
	t.Helper()
	all := map[string]file{}
	for name, content := range s.App {
		on := path.Join(appFolder, name)
		all[on] = file{on, []byte(content), true}
	}
	if s.Like != "" {
		like := Shape{Name: s.Like}
		content, err := os.ReadFile(filepath.Join(shapesFolder, s.Like, "shape.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &like); err != nil {
			t.Fatal(err)
		}
		maps.Copy(all, like.files(t))
	}
	for folder, root := range map[string]string{"app": appFolder, "host": "/"} {
		if s.App != nil {
			break
		}
		base := filepath.Join(shapesFolder, s.Name, folder)
		err := fs.WalkDir(os.DirFS(base), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(filepath.Join(base, name))
			on := path.Join(root, strings.ReplaceAll(name, "dot-", "."))
			all[on] = file{on, content, folder == "app"}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return all
}

// defaultImages is what IMAGES is where a shape doesn't say it.
const defaultImages = "api=API_IMAGE,worker=WORKER_IMAGE,web=WEB_IMAGE"

// followed is the shape as it is configured when the remedy was followed.
func (s Shape) followed() Shape {
	config := maps.Clone(s.Config)
	if config == nil {
		config = map[string]string{}
	}
	maps.Copy(config, s.Follow.Config)
	s.Config = config
	return s
}

// planned are the services of IMAGES, by variable.
func (s Shape) planned() map[string]string {
	images := s.Config["IMAGES"]
	if images == "" {
		images = defaultImages
	}
	planned := map[string]string{}
	for pair := range strings.SplitSeq(images, ",") {
		service, variable, _ := strings.Cut(pair, "=")
		planned[service] = variable
	}
	return planned
}

// The shapes can be read without a host, there are as many as were asked for, and what is known to go wrong is one of them.
func TestShapes_AreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, s := range load(t) {
		names[s.Name] = true
		if len(s.files(t)) == 0 {
			t.Errorf("%s has no files", s.Name)
		}
		for service := range s.followed().planned() {
			if s.Images[service] == "" {
				t.Errorf("%s plans %s, and Images does not say which role that is", s.Name, service)
			}
		}
	}
	if len(names) < 45 {
		t.Errorf("there are %d shapes, want 45 at least", len(names))
	}
	for which := range knownFailures(t) {
		if name, _, _ := strings.Cut(which, " "); !names[name] {
			t.Errorf("%s names %s, which is no shape", knownFile, name)
		}
	}
}
