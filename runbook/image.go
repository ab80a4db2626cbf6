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
	Name   string // the repository, as in "ghcr.io/acme/shop/api" or "acme/api"
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

// Canonical is the image under its repository's one name.
func (i Image) Canonical() Image { return Image{familiar(i.Name), i.Digest} }

// UnmarshalText takes what MarshalText gave, letter for letter: what was journalled and signed keeps its hash. Journals of
// older versions have other names of a repository; Canonical tells that they are one.
func (i *Image) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*i = Image{}
		return nil
	}
	image, err := readImage(string(text))
	*i = image
	return err
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

// ParseImage reads "name@sha256:<64 hex>" and nothing else: past it, nobody checks a reference again. Whatever name of a
// repository is given, the image has its one name. A tag is refused with the reason; every error is an *ImageError.
func ParseImage(ref string) (Image, error) {
	image, err := readImage(ref)
	return image.Canonical(), err
}

func readImage(ref string) (Image, error) {
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

// RepositoryOf takes tag and digest off a reference, and gives the repository's one name.
func RepositoryOf(ref string) string {
	name, _, _ := strings.Cut(ref, "@")
	return familiar(taggedName.ReplaceAllString(name, ""))
}

// familiar is the one name of a repository that several names stand for: the short one, as engines print it in lists and
// in what they answer. The rules are those of github.com/distribution/reference (normalize.go, v0.6.0); besides, a registry's
// host is in lower case, since DNS makes no difference. Ports stay as they are: engines take host and host:443 for two.
func familiar(name string) string {
	const hub = "docker.io"
	host, path, found := strings.Cut(name, "/")
	lower := strings.ToLower(host)
	switch {
	case !isHost(host) || !found:
		path = name
	case lower != hub && lower != "index."+hub:
		if strings.ContainsAny(host, ".:") || lower == "localhost" {
			host = lower
		} // else it is a host by its case alone
		return host + "/" + path
	}
	if rest, official := strings.CutPrefix(path, "library/"); official && !strings.Contains(rest, "/") {
		return rest
	}
	if first, _, more := strings.Cut(path, "/"); more && isHost(first) {
		return hub + "/" + path
	}
	return path
}

// isHost reports whether the first part of a name is a registry's host, and no part of the path.
func isHost(part string) bool {
	return strings.ContainsAny(part, ".:") || part == "localhost" || part != strings.ToLower(part)
}
