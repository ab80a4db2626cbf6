package shapes

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/hostlab"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// matrixFile is where the table goes; empty: nowhere.
var matrixFile = flag.String("matrix", "", "write the table of shapes and hosts to this file")

// binaryFile tries a product that was built before, as a former version.
var binaryFile = flag.String("binary", "", "try this rollbackbot, and not the one of this checkout")

// writeKnown makes the list of what goes wrong from this run, for the day on which shapes are added.
var writeKnown = flag.Bool("known", false, "write what goes wrong to "+knownFile+", and fail nothing")

// every takes a part of the shapes: each that many-th.
var every = flag.Int("every", 1, "try each that many-th shape, for a look in minutes")

// sampleOf is every's part of a list.
func sampleOf[T any](all []T) (some []T) {
	for i := 0; i < len(all); i += max(1, *every) {
		some = append(some, all[i])
	}
	return some
}

// The words of the table.
const (
	didSucceed = "succeeded"
	didRefuse  = "refused, fixed, succeeded"
	didSayNo   = "refused"
	didFail    = "failed after the sign-off"
	wasWrong   = "wrong"
	notFor     = "—"
)

// TestShapes tries each shape on each generation. Those that are known to go wrong have to.
func TestShapes(t *testing.T) {
	roots := parts.HostRoots(t)
	shapes := sampleOf(load(t))
	known := knownFailures(t)
	binary := *binaryFile
	if binary == "" {
		binary = realhost.Build(t, "rollbackbot/cmd/rollbackbot")
	}
	shop := newShop(t, hostlab.Open(t))
	table := newTable(shapes, roots)
	t.Run("hosts", func(t *testing.T) {
		for _, root := range roots {
			t.Run(root.Suite, func(t *testing.T) {
				t.Parallel()
				on := newStage(t, shop, hostlab.Generation(root.Suite))
				for _, shape := range shapes {
					if !shape.on(root.Suite) {
						continue
					}
					t.Run(shape.Name, func(t *testing.T) {
						a := &attempt{stage: on, shape: shape}
						word, wrong := a.make(t, binary)
						table.set(shape.Name, root.Suite, word)
						why, expected := known[shape.Name+" "+root.Suite]
						switch {
						case *writeKnown && len(wrong) > 0:
							table.note(shape.Name, root.Suite, wrong[0])
							t.Logf("%s: %s\n%s", word, strings.Join(wrong, "\n"), a.said)
						case *writeKnown:
						case len(wrong) > 0 && !expected:
							t.Errorf("%s: %s\n%s", word, strings.Join(wrong, "\n"), a.said)
						case len(wrong) > 0:
							t.Logf("known to go wrong (%s): %s: %s", why, word, strings.Join(wrong, "\n"))
						case expected:
							t.Errorf("this goes right: remove its line from %s", knownFile)
						}
					})
				}
			})
		}
	})
	if *matrixFile != "" {
		table.write(t, *matrixFile)
	}
	if *writeKnown {
		table.writeKnown(t)
	}
}

// on reports whether the shape is for a generation.
func (s Shape) on(suite string) bool { return len(s.Hosts) == 0 || slices.Contains(s.Hosts, suite) }

// attempt is one shape on one host.
type attempt struct {
	stage *stage
	shape Shape
	bot   *bot
	said  string // by the bot, all of it
}

// make lays the shape and rolls it back. wrong says what is not as it should be.
func (a *attempt) make(t *testing.T, binary string) (word string, wrong []string) {
	t.Helper()
	a.stage.lay(t, a.shape)
	var err error
	if a.bot, err = newBot(t, binary, a.stage, a.shape); err != nil {
		return wasWrong, []string{err.Error()}
	}
	before := a.stage.look(t)
	accepted, wrong := a.plan(t, before)
	if len(wrong) > 0 {
		return wasWrong, wrong
	}
	if !accepted && a.shape.Final {
		return didSayNo, nil
	}
	if !accepted {
		if err := a.follow(t, binary); err != nil {
			return wasWrong, []string{err.Error()}
		}
		before = a.stage.look(t)
	}
	said, succeeded := a.bot.rollsBack(t)
	a.said += said
	if !succeeded {
		if strings.Contains(said, "waiting for") {
			return didFail, []string{"it fails after the sign-off"}
		}
		return wasWrong, []string{"it is refused, after the plan or its remedy"}
	}
	after := a.stage.look(t)
	wrong = append(a.shape.rolledBack(before, after, a.pinsFiles()), a.again(t, after)...)
	switch {
	case len(wrong) > 0:
		return wasWrong, wrong
	case accepted:
		return didSucceed, nil
	}
	return didRefuse, nil
}

// plan has the bot make a plan, which changes nothing, and says what is wrong with its answer.
func (a *attempt) plan(t *testing.T, before seen) (accepted bool, wrong []string) {
	t.Helper()
	a.said, accepted = a.bot.says(t, "plan", "shop", "--to", "v1")
	has := func(words string) bool {
		return strings.Contains(strings.ToLower(a.said), strings.ToLower(a.stage.images.Replace(words)))
	}
	switch {
	case accepted && a.shape.Right == refused:
		return accepted, []string{"nothing is refused"}
	case !accepted && a.shape.Right == succeeds:
		return accepted, []string{"it is refused"}
	}
	wanted := a.shape.Says
	if accepted {
		wanted = a.shape.Warns
	}
	for _, words := range wanted {
		if !has(words) {
			wrong = append(wrong, fmt.Sprintf("it does not say %q", words))
		}
	}
	for _, words := range a.shape.Never {
		if has(words) {
			wrong = append(wrong, fmt.Sprintf("it says %q", words))
		}
	}
	return accepted, append(wrong, a.shape.filesChanged(before, a.stage.look(t), nil)...)
}

// follow does what the refusal says. The bot that comes after knows nothing of the one before.
func (a *attempt) follow(t *testing.T, binary string) (err error) {
	t.Helper()
	a.stage.asRoot(t, a.shape.Follow.Setup)
	if line := a.shape.Follow.Deploy; line != "" {
		a.stage.team(t, line)
	}
	a.bot, err = newBot(t, binary, a.stage, a.shape.followed())
	return err
}

// pinsFiles are the files that the plan says it writes.
func (a *attempt) pinsFiles() (files []string) {
	for _, found := range pinned.FindAllStringSubmatch(a.said, -1) {
		files = append(files, found[1])
	}
	return files
}

// pinned is how a plan says that it writes a pin.
var pinned = regexp.MustCompile(`# into '?(/.+?)'?: \w+=`)

// again has the team type its line once more, which has to change nothing, and runs the shape's own check.
func (a *attempt) again(t *testing.T, before seen) (wrong []string) {
	t.Helper()
	line := a.shape.Again
	if line == "" {
		line = a.shape.Deploy
	}
	a.stage.team(t, line)
	after := a.stage.look(t)
	is := map[string]bool{}
	for _, c := range after.containers {
		is[c.ID] = true
	}
	for _, c := range before.containers {
		if !is[c.ID] {
			wrong = append(wrong, fmt.Sprintf("the team's own `up` replaces %s, with %s of %s", c.Name, c.Role, c.Version))
		}
	}
	if len(a.shape.Check) > 0 {
		if out, err := a.stage.Try("set -e\n" + a.stage.images.Replace(strings.Join(a.shape.Check, "\n"))); err != nil {
			wrong = append(wrong, fmt.Sprintf("its check: %v: %s", err, out))
		}
	}
	return wrong
}

// knownFile has a line for each shape and host that goes wrong: "shape host: why".
const knownFile = "testdata/known-failures"

func knownFailures(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(knownFile)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		which, why, found := strings.Cut(line, ": ")
		if !found || len(strings.Fields(which)) != 2 {
			t.Fatalf("%s: %q is not \"shape host: why\"", knownFile, line)
		}
		known[which] = why
	}
	return known
}
