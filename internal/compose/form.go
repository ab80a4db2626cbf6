package compose

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// form is how the app's files make a service's reference of its variable: what stands before the value and behind it.
// Only compose reads those files: it renders them with a placeholder for the value.
type form struct{ before, behind string }

// forms are those of the app's services that take their variable.
type forms struct {
	of map[string]form // by service
	// elsewhere is by variable a place beside images where no digest may stand, as the name of a container.
	elsewhere map[string]string
}

// rollbackTag is the tag beside a digest that a variable for a tag has to hold. Nobody looks it up: where a reference has
// both, engines go by the digest alone (moby: reference/store.go, Get; daemon/containerd/image.go, resolveImage; tried with
// Docker 20.10 and Compose 5.6, and 26.1 and 2.26, where nothing but the digest was there), and so does a pull.
const rollbackTag = "rollback"

// exact is the value that makes this image by its digest; false where no value does.
func (f form) exact(image runbook.Image) (string, bool) {
	name := image.Canonical().Name
	switch {
	case f == form{}:
		return image.String(), !image.IsZero()
	case f.behind != "" || name == "":
		return "", false
	}
	for _, hub := range []string{"", "docker.io/", "docker.io/library/"} {
		value, begins := strings.CutPrefix(hub+name+"@"+string(image.Digest), f.before)
		if begins && value != "" && runbook.RepositoryOf(hub+name) == name {
			return value, true
		}
	}
	switch {
	case runbook.RepositoryOf(f.before+"x") != name:
		return "", false
	case strings.HasSuffix(f.before, "@"):
		return string(image.Digest), true
	}
	return rollbackTag + "@" + string(image.Digest), true
}

// tag is the value that makes a reference of a repository with a tag; false where none does.
func (f form) tag(ref string) (string, bool) {
	name, tag, tagged := cutTag(ref)
	repository, begins, takes := cutTag(f.before)
	if !tagged || !takes || runbook.RepositoryOf(repository) != runbook.RepositoryOf(name) {
		return "", false
	}
	value, front := strings.CutPrefix(tag, begins)
	value, back := strings.CutSuffix(value, f.behind)
	return value, front && back && value != ""
}

// text is how the files write it.
func (f form) text(variable string) string {
	return "`image: " + f.before + "${" + variable + "}" + f.behind + "`"
}

// made is the value that made a reference; false where none of this form did.
func (f form) made(ref string) (string, bool) {
	value, front := strings.CutPrefix(ref, f.before)
	value, back := strings.CutSuffix(value, f.behind)
	return value, front && back
}

// cutTag cuts a reference without a digest, or the beginning of one, behind its repository.
func cutTag(ref string) (repository, tag string, found bool) {
	colon := strings.LastIndexByte(ref, ':')
	if colon <= strings.LastIndexByte(ref, '/') || strings.Contains(ref, "@") {
		return ref, "", false
	}
	return ref[:colon], ref[colon+1:], true
}

// imageOf is the image that a reference names by its digest, with a tag beside it or without; false where it names none so.
func imageOf(ref string) (runbook.Image, bool) {
	_, digest, _ := strings.Cut(ref, "@")
	image, err := runbook.ParseImage(runbook.RepositoryOf(ref) + "@" + digest)
	return image, err == nil
}

// formsOf are those that show where the stack is rendered with a placeholder for each of the app's variables.
func (h *appHost) formsOf(stack rendered) forms {
	all := forms{of: map[string]form{}, elsewhere: map[string]string{}}
	for _, service := range h.app.Services {
		before, behind, found := strings.Cut(stack.Services[service.Name].Image, placeholder(service))
		if found && !strings.Contains(behind, placeholder(service)) {
			all.of[service.Name] = form{before, behind}
		}
		if place := stack.Strict[placeholder(service)]; place != "" {
			all.elsewhere[service.Variable] = place
		}
	}
	return all
}

// forms are those of the files as they were read at last.
func (h *appHost) forms(ctx context.Context) (forms, error) {
	_, err := h.called(ctx)
	return h.memory.recall().forms, err
}

// Pins are what the pins file has to say so that exactly these images run.
func (h *appHost) Pins(ctx context.Context, images map[string]runbook.Image) ([]runbook.Pin, error) {
	pins, _, err := h.pinned(ctx, images)
	return pins, err
}

// pinned also gives the variables that hold no more than a tag: one for images of several services, or one that stands
// where no digest may. Such a tag is one that names the planned images on this host now.
func (h *appHost) pinned(ctx context.Context, images map[string]runbook.Image) (pins []runbook.Pin, byTag []string, err error) {
	known, err := h.forms(ctx)
	if err != nil {
		return nil, nil, err
	}
	values := map[string]string{}
	var problems []runbook.Problem
	for _, service := range h.app.Services {
		if _, done := values[service.Variable]; done {
			continue
		}
		fed := h.fedBy(service.Variable)
		value := known.exact(fed, images)
		if value == "" {
			if value, err = h.commonTag(ctx, known, fed, images); err != nil {
				return nil, nil, err
			}
			byTag = append(byTag, service.Variable)
		}
		if values[service.Variable] = value; value == "" {
			problems = append(problems, h.unpinnable(known, fed, images))
		}
	}
	if len(problems) > 0 {
		return nil, nil, &runbook.PreflightError{Problems: problems}
	}
	for _, service := range h.app.Services {
		pins = append(pins, runbook.Pin{Variable: service.Variable, Value: values[service.Variable]})
	}
	return pins, byTag, nil
}

// fedBy are the app's services that take a variable.
func (h *appHost) fedBy(variable string) []runbook.Service {
	return slices.DeleteFunc(slices.Clone(h.app.Services), func(s runbook.Service) bool { return s.Variable != variable })
}

// exact is the one value that makes the images of all these services, each by its digest; "" where there is none.
func (f forms) exact(fed []runbook.Service, images map[string]runbook.Image) (one string) {
	for i, service := range fed {
		is, taken := f.of[service.Name]
		value, ok := is.exact(images[service.Name])
		if !taken || !ok || i > 0 && value != one || f.elsewhere[service.Variable] != "" && is != (form{}) {
			return ""
		}
		one = value
	}
	return one
}

// commonTag is the value that makes, of each of these services, a reference that names its image on this host; "" where
// there is none. Of several the one that says most counts: with a digit in it, which `latest` has not, and the longest.
func (h *appHost) commonTag(ctx context.Context, known forms, fed []runbook.Service, images map[string]runbook.Image) (string, error) {
	tags, err := h.tags(ctx, images)
	if err != nil {
		return "", err
	}
	votes := map[string]int{}
	for _, service := range fed {
		for _, ref := range tags[images[service.Name]] {
			if value, ok := known.of[service.Name].tag(ref); ok {
				votes[value]++
			}
		}
	}
	common := slices.DeleteFunc(slices.Collect(maps.Keys(votes)), func(value string) bool { return votes[value] < len(fed) })
	slices.SortFunc(common, func(a, b string) int {
		return cmp.Or(numbered(b)-numbered(a), len(b)-len(a), strings.Compare(a, b))
	})
	return cmp.Or(append(common, "")...), nil
}

func numbered(tag string) int {
	if strings.ContainsAny(tag, "0123456789") {
		return 1
	}
	return 0
}

// tags are what the host's images among these are called besides by digest.
func (h *appHost) tags(ctx context.Context, images map[string]runbook.Image) (map[runbook.Image][]string, error) {
	var refs []string
	for _, service := range h.app.Services {
		if image := images[service.Name]; !image.IsZero() {
			refs = appendOnce(refs, image.String())
		}
	}
	views, err := h.images(ctx, refs)
	if err != nil {
		return nil, err
	}
	tags := map[runbook.Image][]string{}
	for _, image := range images {
		for _, view := range views {
			if view.is(image) {
				tags[image] = view.Tags
			}
		}
	}
	return tags, nil
}

// unproven are the services whose reference, as it was rendered, doesn't name the image by its digest. Where the variable
// holds a tag, one will do if the host's image of that tag is the one: tags can be moved, and what the engine takes is what
// it has.
func (h *appHost) unproven(ctx context.Context, stack rendered, images map[string]runbook.Image) (wrong []runbook.Service, err error) {
	var tagged []runbook.Service
	for _, service := range h.app.Services {
		ref := stack.Services[service.Name].Image
		switch image, by := imageOf(ref); {
		case by && image == images[service.Name].Canonical():
		case strings.Contains(ref, "@"):
			wrong = append(wrong, service)
		default:
			tagged = append(tagged, service)
		}
	}
	if len(wrong) > 0 || len(tagged) == 0 {
		return wrong, nil
	}
	known, err := h.forms(ctx)
	if err != nil {
		return nil, err
	}
	tags, err := h.tags(ctx, images)
	if err != nil {
		return nil, err
	}
	for _, service := range tagged {
		is := known.of[service.Name]
		value, _ := is.made(stack.Services[service.Name].Image)
		if !slices.ContainsFunc(tags[images[service.Name]], func(ref string) bool { tag, ok := is.tag(ref); return ok && tag == value }) {
			wrong = append(wrong, service)
		}
	}
	return wrong, nil
}

// unpinnable says why no value of a variable makes these services' images.
func (h *appHost) unpinnable(known forms, fed []runbook.Service, images map[string]runbook.Image) runbook.Problem {
	var services, planned []string
	for _, service := range fed {
		services = append(services, service.Name)
		planned = append(planned, images[service.Name].String())
	}
	variable, is := fed[0].Variable, known.of[fed[0].Name]
	what := fmt.Sprintf("%s can hold no more than a tag for %s, and no tag on this host names exactly %s", variable, and(services), and(planned))
	switch place := known.elsewhere[variable]; {
	case !slices.ContainsFunc(fed, known.pinnable):
		what = fmt.Sprintf("%s doesn't take its image from %s, so a rollback would change nothing", services[0], variable)
	case place != "":
		what = fmt.Sprintf("%s can hold no digest, since %s is made of it as well, and no tag on this host names exactly %s", variable, place, and(planned))
	case len(fed) == 1 && is.behind == "":
		what = fmt.Sprintf("the compose file gives %s the repository %s, so that no value of %s makes it run %s", services[0], strings.TrimRight(is.before, ":@"), variable, planned[0])
	}
	return runbook.Problem{Host: h.host, What: what, Remedy: h.lines(known, fed...)}
}

// lines are what gives each of these services a variable of its own that holds the whole reference, which can be pinned
// whatever else the file says. What they say at first is what runs.
func (h *appHost) lines(known forms, services ...runbook.Service) string {
	var images, pins, pairs []string
	own := true
	for _, service := range services {
		variable := service.Variable
		if _, taken := known.of[service.Name]; taken || len(h.fedBy(variable)) > 1 {
			variable = ownVariable(service.Name)
		}
		own = own && variable == service.Variable
		images = append(images, fmt.Sprintf("`image: ${%s}` for %s", variable, service.Name))
		pairs = append(pairs, service.Name+"="+variable)
		if ref := h.memory.recall().running[service.Name]; ref != "" {
			pins = append(pins, variable+"="+ref)
		}
	}
	text := "Write " + and(images) + " in the compose file"
	if len(pins) > 0 {
		text += ", and " + and(pins) + " into " + h.launch().pins
	}
	if !own {
		text += "; set IMAGES to " + strings.Join(pairs, ",")
	}
	return text
}

// ownVariable is what a service's variable is called by default.
func ownVariable(service string) string {
	return strings.Map(func(c rune) rune {
		if c == '.' || c == '-' {
			return '_'
		}
		return c
	}, strings.ToUpper(service)) + "_IMAGE"
}

func and(words []string) string {
	if last := len(words) - 1; last > 0 {
		return strings.Join(words[:last], ", ") + " and " + words[last]
	}
	return strings.Join(words, "")
}

// tagWarnings name the tags that are pinned for images of several repositories.
func (h *appHost) tagWarnings(known forms) (warnings []string) {
	for _, variable := range variables(h.app) {
		var services, repositories []string
		for _, service := range h.fedBy(variable) {
			if repository, _, tagged := cutTag(known.of[service.Name].before); tagged {
				services, repositories = append(services, service.Name), appendOnce(repositories, repository)
			}
		}
		if len(repositories) > 1 {
			warnings = append(warnings, fmt.Sprintf("%s pins %s by one tag: who pulls it later gets what the registry has under it then", variable, and(services)))
		}
	}
	return warnings
}

// pinnable reports whether any value of a service's variable could make an image of its repository.
func (f forms) pinnable(service runbook.Service) bool {
	is, taken := f.of[service.Name]
	_, _, tagged := cutTag(is.before)
	return taken && (is.behind == "" || tagged && !strings.ContainsAny(is.behind, "/:@"))
}

// loose are the keys of a service under which any text may stand.
var loose = []string{"image", "environment", "labels", "annotations", "command", "entrypoint", "build", "healthcheck", "logging"}

// strictPlaces are, by placeholder, places in which a reference could not stand: a container's name has no @.
func strictPlaces(config []byte) map[string]string {
	places := map[string]string{}
	var file map[string]json.RawMessage
	var services map[string]map[string]json.RawMessage
	if json.Unmarshal(config, &file) != nil || json.Unmarshal(file["services"], &services) != nil {
		return places
	}
	note := func(value json.RawMessage, place string) {
		for _, found := range anyPlaceholder.FindAllString(string(value), -1) {
			places[found] = place
		}
	}
	for _, name := range runbook.SortedKeys(services) {
		for _, key := range runbook.SortedKeys(services[name]) {
			if !slices.Contains(loose, key) && !strings.HasPrefix(key, "x-") {
				note(services[name][key], "the "+key+" of "+name)
			}
		}
	}
	for _, key := range runbook.SortedKeys(file) {
		if key != "services" && !strings.HasPrefix(key, "x-") {
			note(file[key], "the file's "+key)
		}
	}
	return places
}
