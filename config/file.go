package config

import (
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxFile bounds what is read of a key, a known_hosts or a CA file, in bytes: the longest known_hosts in use are far
// below.
const maxFile = 16 << 20

// file reads a file that must be there and hold something. A command that has no use for it doesn't touch it.
func (r *reader) file(s setting, path string) (content []byte) {
	if s.need > r.need {
		return nil
	}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		content, err = io.ReadAll(io.LimitReader(f, maxFile))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.problem(s, "there is no file "+show(path), "name the file's full path as this program sees it; in a container, mount it")
	case errors.Is(err, fs.ErrPermission):
		r.problem(s, "the file "+show(path)+" may not be read", "give the user that runs this program the right to read it")
	case err != nil:
		r.problem(s, "the file "+show(path)+" can't be read", "name a file with its full path")
	case len(strings.TrimSpace(string(content))) == 0:
		r.problem(s, "the file "+show(path)+" is empty", "name the right file")
	}
	return content
}

// caFile is a file of certificates, or "".
func (r *reader) caFile(s setting) string {
	path := s.text()
	if path == "" {
		return ""
	}
	content := r.file(s, path)
	if len(content) > 0 && !x509.NewCertPool().AppendCertsFromPEM(content) {
		r.problem(s, "the file "+show(path)+" holds no certificate", "name a PEM file with -----BEGIN CERTIFICATE-----")
	}
	return path
}
