package demohost

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"rollbackbot/runbook"
)

// image is what a registry holds under one name: a manifest, which names a configuration and layers by their digests.
type image struct {
	repository string
	tag        string // "" where it is known by its digest alone
	config     imageConfig
	layers     []layer
}

// imageConfig is the part of an image's configuration that the stand-in makes use of.
type imageConfig struct {
	Env    []string          `json:"Env"`
	Cmd    []string          `json:"Cmd"`
	Labels map[string]string `json:"Labels"`
}

// layer is one part of an image's file system.
type layer struct {
	MediaType string `json:"mediaType"`
	Size      int64  `json:"size"` // in bytes, compressed
	Digest    string `json:"digest"`
}

func newLayer(name string, size int64) layer {
	return layer{MediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip", Size: size, Digest: digestOf([]byte(name))}
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// configuration is the text whose digest is the image's ID.
func (i image) configuration() []byte {
	return encode(map[string]any{"architecture": "amd64", "os": "linux", "config": i.config, "rootfs": map[string]any{"type": "layers", "diff_ids": i.digests()}})
}

func (i image) digests() []string {
	var digests []string
	for _, l := range i.layers {
		digests = append(digests, l.Digest)
	}
	return digests
}

// manifest is the text whose digest is the image's digest.
func (i image) manifest() []byte {
	config := i.configuration()
	return encode(map[string]any{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.docker.distribution.manifest.v2+json",
		"config":        layer{MediaType: "application/vnd.docker.container.image.v1+json", Size: int64(len(config)), Digest: digestOf(config)},
		"layers":        i.layers,
	})
}

func encode(v any) []byte {
	content, err := json.MarshalIndent(v, "", "   ")
	if err != nil {
		panic(err) // maps, strings and numbers always encode
	}
	return content
}

func (i image) id() string     { return digestOf(i.configuration()) }
func (i image) digest() string { return digestOf(i.manifest()) }

// pinned is the reference by digest.
func (i image) pinned() string { return i.repository + "@" + i.digest() }

// ref is how the app asks for the image.
func (i image) ref() string {
	if i.tag != "" {
		return i.repository + ":" + i.tag
	}
	return i.pinned()
}

// named is the image as the bot knows images.
func (i image) named() runbook.Image {
	return runbook.Image{Name: i.repository, Digest: runbook.Digest(i.digest())}
}

// imageOf finds an image in the registry by a reference: its digest, or the tag under which it is known.
func imageOf(ref string) (image, bool) {
	for _, i := range registry() {
		if i.ref() == ref || i.pinned() == ref {
			return i, true
		}
	}
	return image{}, false
}

// short is a digest as docker prints it: its first twelve digits.
func short(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] }
