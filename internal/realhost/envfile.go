package realhost

import (
	"regexp"
	"slices"
	"strings"
)

// SecretValue is the value of SECRET_KEY in the environment file of every stack: it may show up in no log, message,
// record or journal.
const SecretValue = "tRu5t-no1-9f8e7d6c5b4a"

// envTemplate is an environment file as they grow over the years. Compose takes every line of it; whoever edits the
// pins has to leave all others byte for byte, the one that looks like a pin, the blanks, the line end of another
// system and the last line without any among them.
const envTemplate = "# Production settings of the shop. Not in git!\n" +
	"\n" +
	"SECRET_KEY=" + SecretValue + "\n" +
	"DATABASE_URL=\"postgres://shop:" + SecretValue + "@db/shop?sslmode=disable\"   # internal network\n" +
	"export TZ=UTC\n" +
	"EMPTY=\n" +
	"  INDENTED = yes\n" +
	"SINGLE='it is $not expanded # and no comment'\n" +
	"CERTIFICATE=\"-----BEGIN-----\n" +
	"API_IMAGE is no pin here\n" +
	"-----END-----\"\n" +
	"UMLAUT=Größe\n" +
	"WINDOWS=1\r\n" +
	"#API_IMAGE=registry.example/shop/api@sha256:0000000000000000000000000000000000000000000000000000000000000000\n" +
	"\n" +
	"# --- pins ---\n" +
	"API_IMAGE=\n" +
	"WORKER_IMAGE=\n" +
	"WEB_IMAGE=\n" +
	"\n" +
	"\tTABBED=1\n" +
	"LAST=without a line end"

// pinned is the environment file with the images of a release pinned, all other bytes as they were.
func pinned(content string, release map[string]string) string {
	for _, service := range Services() {
		variable := strings.ToUpper(service) + "_IMAGE"
		line := regexp.MustCompile(`(?m)^` + variable + `=.*$`)
		content = line.ReplaceAllLiteralString(content, variable+"="+release[service])
	}
	return content
}

// WithoutPins is the content of an environment file without the lines of the pins: what has to be the same before
// and after a rollback.
func WithoutPins(content string) string {
	kept := slices.DeleteFunc(strings.SplitAfter(content, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "API_IMAGE=") ||
			strings.HasPrefix(line, "WORKER_IMAGE=") || strings.HasPrefix(line, "WEB_IMAGE=")
	})
	return strings.Join(kept, "")
}
