package hostlab

import "fmt"

// Release is a version's images by service, as name@sha256:….
type Release map[string]string

// Services are those of a release, each with an image of its own.
func Services() []string { return []string{"api", "worker", "web"} }

// PushRelease pushes a version's images, shop/api and so on, tagged with the version.
func (l *Lab) PushRelease(version string, sick bool, form Form) (Release, error) {
	release := Release{}
	for _, service := range Services() {
		ref, err := l.Push("shop/"+service, version, App{Role: service, Version: version, Sick: sick && service == "api", Form: form})
		if err != nil {
			return nil, fmt.Errorf("push %s of %s: %w", service, version, err)
		}
		release[service] = ref
	}
	return release, nil
}
