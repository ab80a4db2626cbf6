package runbook

import (
	"fmt"
	"regexp"
	"strings"
)

// Digest is the SHA-256 content address of an image: "sha256:" and 64 lower-case hex digits.
// The zero Digest is empty and names nothing.
type Digest string

// Short is the digest as people read it: "sha256:" and its first 12 digits, as docker prints IDs.
func (d Digest) Short() string {
	if len(d) < len("sha256:")+12 {
		return string(d)
	}
	return string(d[:len("sha256:")+12])
}

// ParseDigest reads "sha256:" and 64 lower-case hex digits; every error is an *ImageError.
func ParseDigest(text string) (Digest, error) {
	if !digestPattern.MatchString(text) {
		return "", &ImageError{Ref: Truncate(text, maxNameLength), Why: "give sha256: and 64 lower-case hex digits"}
	}
	return Digest(text), nil
}

// Image names one immutable image: a repository and a digest, never a tag.
// The zero Image means "not known": a container that was built on its host has no digest that a registry could serve.
type Image struct {
	Name   string // the repository, as in "ghcr.io/acme/shop/api"
	Digest Digest
}

// String is the reference that docker takes, "name@sha256:…", the digest where the name isn't known, or "" for the zero
// Image.
func (i Image) String() string {
	switch {
	case i.IsZero():
		return ""
	case i.Name == "":
		return string(i.Digest)
	}
	return i.Name + "@" + string(i.Digest)
}

// IsZero reports whether the image is not known.
func (i Image) IsZero() bool { return i == Image{} }

// MarshalText is the reference; the zero Image is the empty text.
func (i Image) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText takes what MarshalText gave.
func (i *Image) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*i = Image{}
		return nil
	}
	image, err := ParseImage(string(text))
	if err != nil {
		return err
	}
	*i = image
	return nil
}

// ImageError says why a text is not an Image, in words for the person who typed it.
type ImageError struct {
	Ref string // what was given
	Why string // what is wrong with it and what to give instead
}

func (e *ImageError) Error() string { return fmt.Sprintf("%q is no image reference: %s", e.Ref, e.Why) }

const (
	whyTag    = "a tag can be moved to another image at any time; give name@sha256:<64 hex digits>, as the host's engine or the registry prints it"
	whyDigest = "after @ come sha256: and 64 lower-case hex digits"
	whyName   = "the part before @ must be a repository name such as ghcr.io/acme/shop/api"
)

// The grammar of repository names is distribution's: an optional domain with an optional port, then lower-case
// path components. A name is at most 255 characters long there.
var (
	namePattern = regexp.MustCompile(`^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?/)?` +
		`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	taggedName    = regexp.MustCompile(`:[A-Za-z0-9_][A-Za-z0-9._-]*$`)
)

const maxNameLength = 255

// ParseImage reads "name@sha256:<64 hex>" and nothing else: past it, nobody checks a reference again.
// A tag is refused with the reason; every error is an *ImageError.
func ParseImage(ref string) (Image, error) {
	name, digest, found := strings.Cut(ref, "@")
	switch {
	case !found:
		return Image{}, &ImageError{Ref: ref, Why: whyTag}
	case !digestPattern.MatchString(digest):
		return Image{}, &ImageError{Ref: ref, Why: whyDigest}
	case !namePattern.MatchString(name) || len(name) > maxNameLength:
		if base := taggedName.ReplaceAllString(name, ""); base != name && namePattern.MatchString(base) {
			return Image{}, &ImageError{Ref: ref, Why: "leave the tag out: " + whyTag}
		}
		return Image{}, &ImageError{Ref: ref, Why: whyName}
	}
	return Image{Name: name, Digest: Digest(digest)}, nil
}

// RepositoryOf takes tag and digest off a reference.
func RepositoryOf(ref string) string {
	name, _, _ := strings.Cut(ref, "@")
	return taggedName.ReplaceAllString(name, "")
}
