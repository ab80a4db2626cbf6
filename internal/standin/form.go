package standin

import (
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// Form is how the app's files make a service's image of its variable. The zero Form takes the whole image from there.
type Form struct {
	Repository string // what the files say themselves; "": the variable says it too
	Tag        bool   // the variable holds a tag, behind which a digest may stand; else the digest alone
	Fixed      bool   // the files take nothing from the variable
}

// aTag stands before a digest where a tag has to.
const aTag = "rollback"

// exact is the value that says an image by its digest; "" where none does.
func (f Form) exact(image runbook.Image) string {
	switch {
	case f.Fixed, f.Repository != "" && f.Repository != image.Name:
		return ""
	case f.Repository == "":
		return image.String()
	case f.Tag:
		return aTag + "@" + string(image.Digest)
	}
	return string(image.Digest)
}

// means is the image that a value says; zero where it says none.
func (s *State) means(service, value string) runbook.Image {
	f := s.Forms[service]
	if f.Fixed {
		return runbook.Image{}
	}
	if f.Tag {
		tag, digest, exact := strings.Cut(value, "@")
		if !exact {
			return s.Tags[f.Repository+":"+tag]
		}
		value = digest
	}
	if f.Repository != "" {
		value = f.Repository + "@" + value
	}
	image, _ := runbook.ParseImage(value)
	return image
}

// pin is the value of a variable that says these images for all services that take it: by digest, or by a tag that names
// them here; "" where none does.
func (s *State) pin(variable string, images map[string]runbook.Image) string {
	taking := slices.DeleteFunc(slices.Clone(s.app.Services), func(service runbook.Service) bool { return service.Variable != variable })
	says := func(value string) bool {
		return value != "" && !slices.ContainsFunc(taking, func(service runbook.Service) bool {
			return s.means(service.Name, value) != images[service.Name]
		})
	}
	if exact := s.Forms[taking[0].Name].exact(images[taking[0].Name]); says(exact) {
		return exact
	}
	for _, ref := range runbook.SortedKeys(s.Tags) {
		if tag := ref[strings.LastIndexByte(ref, ':')+1:]; says(tag) {
			return tag
		}
	}
	return ""
}

// pinsOf are the pins that say these images, and the services for which none can.
func (s *State) pinsOf(images map[string]runbook.Image) (pins []runbook.Pin, without []string) {
	for _, service := range s.app.Services {
		value := s.pin(service.Variable, images)
		if value == "" {
			without = append(without, service.Name)
		}
		pins = append(pins, runbook.Pin{Variable: service.Variable, Value: value})
	}
	return pins, without
}
