package runbook

import (
	"os/exec"
	"strings"
	"testing"
)

func FuzzParseImage(f *testing.F) {
	digest := "@sha256:" + strings.Repeat("a1", 32)
	for _, seed := range []string{
		"ghcr.io/acme/shop/api" + digest, "localhost:5000/a" + digest, "127.0.0.1:5000/a/b_c__d-e.f" + digest, "api:v1", "api:v1" + digest,
		"api", "", "@", "a@sha256:short", "UPPER/case" + digest, "a b" + digest, "a;rm -rf /" + digest, "$(x)" + digest, "-a" + digest, "../a" + digest,
		"docker.io/library/nginx" + digest, "index.docker.io/acme/api" + digest, "docker.io/localhost/a" + digest, "docker.io/docker.io/a/b" + digest,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		image, err := ParseImage(ref)
		if err != nil {
			return
		}
		if again, err := ParseImage(image.String()); err != nil || again != image || image.Canonical() != image {
			t.Errorf("%q was read as %q, and that as %q, %v", ref, image, again, err)
		}
		var asItIs Image
		if err := asItIs.UnmarshalText([]byte(ref)); err != nil || asItIs.String() != ref {
			t.Errorf("the journal's %q was read as %q, %v", ref, asItIs, err)
		}
		if strings.ContainsAny(ref, " \t\n'\"$`\\;&|<>*?!#(){}[]~") || strings.HasPrefix(ref, "-") {
			t.Errorf("%q was let through", ref)
		}
	})
}

func TestParseImage_SaysWhy(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a1", 32)
	for ref, want := range map[string]string{
		"ghcr.io/acme/api:v1":             "a tag can be moved",
		"ghcr.io/acme/api:v1" + digest:    "leave the tag out",
		"ghcr.io/acme/api":                "a tag can be moved",
		"ghcr.io/acme/api@sha256:123":     "64 lower-case hex digits",
		"ghcr.io/acme/api@md5:" + "abcd":  "64 lower-case hex digits",
		"ghcr.io/ACME/api" + digest:       "repository name",
		digest:                            "repository name",
		strings.Repeat("a", 256) + digest: "repository name",
	} {
		if _, err := ParseImage(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %q", ref, err, want)
		}
	}
}

// There and back through a real shell: whatever a word holds, the shell reads it back as it was.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "plain", "it's", `a"b`, "$HOME `id` $(id)", "a\nb", "*", "~", "=ls", "#x", "-n", "ünï", `\`, `\\'`, "'", "''", "a\tb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		word = strings.ReplaceAll(word, "\x00", "")
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+Quote(word)+"; printf x").Output()
		if err != nil || string(out) != word+"x" {
			t.Errorf("%q came back as %q, %v", word, out, err)
		}
		// Quoted twice, as a command line for a login shell is.
		out, err = exec.CommandContext(t.Context(), "sh", "-c", "sh -c "+Quote("printf %s "+Quote(word)+"; printf x")).Output()
		if err != nil || string(out) != word+"x" {
			t.Errorf("quoted twice, %q came back as %q, %v", word, out, err)
		}
	})
}

func TestMask_NothingSecretGetsOut(t *testing.T) {
	for _, secret := range []string{
		"DB_PASSWORD=hunter2secret", "password=hunter2secret", `API_KEY="hunter2secret with spaces"`, "export TOKEN='hunter2secret'",
		"postgres://user:hunter2secret@db:5432/x", "https://hunter2secret@github.com/x", "Authorization: Bearer hunter2secretxyz", "xoxb-1234-hunter2secret",
		"ghp_hunter2secrethunter2secret00", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2secret\n-----END OPENSSH PRIVATE KEY-----",
		"-----BEGIN RSA PRIVATE KEY-----\nhunter2secret cut off", `{"db_password": "hunter2secret"}`, `level=error msg="DB_PASSWORD=hunter2secret is wrong"`,
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXI.hunter2secret", "dckr_pat_hunter2secrethunter2", "PIN=123456", "SECRET_KEY=123456",
	} {
		if got := Mask("before " + secret + " after"); strings.Contains(got, "hunter2secret") || strings.Contains(got, "123456") {
			t.Errorf("%q came out as %q", secret, got)
		}
	}
	for _, plain := range []string{
		"Container shop-api-1 Started", "API_IMAGE=ghcr.io/acme/api@sha256:" + strings.Repeat("a1", 32), "status=125", `level=warning msg="the attribute is obsolete"`,
		"https://api.example.com/health answers 503", "manifest unknown: sha256:0123456789ab",
	} {
		if got := Mask(plain); got != plain {
			t.Errorf("%q came out as %q", plain, got)
		}
	}
}
