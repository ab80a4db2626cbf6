package runbook

import (
	"regexp"
	"strings"
)

// Masked stands where a secret stood.
const Masked = "<secret>"

// secretPatterns find what must not get into a journal, a log or Slack, and what of it may stay ($1, $3).
// The order matters: keys are whole blocks, tokens are known by their shape, the rest by its name.
var secretPatterns = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)`), Masked},
	{regexp.MustCompile(`(?s)\A[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----`), Masked},
	{regexp.MustCompile(`\b(xox[a-z]|xapp|xwfp)-[A-Za-z0-9-]{6,}`), Masked},
	{regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,}|AKIA[A-Z0-9]{12,}|dckr_pat_[A-Za-z0-9_-]{16,})`), Masked},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), Masked},
	{regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`), "${1}" + Masked},
	{regexp.MustCompile(`(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@:]*(?::[^\s/@]*)?@`), "${1}" + Masked + "@"},
	{regexp.MustCompile(`(?i)("(?:[a-z0-9_.-]*(?:password|passwd|secret|token|apikey|api_key|private_key|credential)[a-z0-9_.-]*)"\s*:\s*)"(?:[^"\\]|\\.)*"`), `${1}"` + Masked + `"`},
}

// assignment is KEY=value. Which keys stay readable is decided by harmless: an unknown one is a secret. The value may be
// quoted, quoted within something quoted (compose prints lines of a file that it can't read so: "KEY=\"value\""), cut off
// before its closing quote, or have quotes inside; a quote at its end is not its own.
var assignment = regexp.MustCompile(`(\b[A-Za-z_][A-Za-z0-9_]*)=(\\"(?:[^"\\]|\\[^"])*(?:\\"|\z)|"(?:[^"\\]|\\.)*"|'[^']*'|["'][^\n]*|[^\s"']+(?:["'][^\s"',;:)\]}]+)*)`)

// harmless values say what a reader needs and can't be secrets: images, and what container tools print of themselves.
var harmless = regexp.MustCompile(`^(?:[a-zA-Z0-9.:/_-]*@?sha256:[0-9a-f]{12,64}|[0-9]{1,10}|true|false|error|warning|info|debug|fatal)$`)

// secretName marks keys whose value is hidden even where it looks harmless.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|key|credential|auth|pin`)

// proseKeys hold sentences in log lines: the sentence stays, what it quotes is masked in turn.
var proseKeys = map[string]bool{"level": true, "msg": true, "time": true, "error": true, "err": true}

// Mask takes out of a text whatever may be a secret: private keys, tokens, the userinfo of URLs, and the value of every
// KEY=value but images, plain numbers and log levels. It would rather hide too much: whoever may see it all has the host.
func Mask(text string) string {
	for _, secret := range secretPatterns {
		text = secret.pattern.ReplaceAllString(text, secret.replacement)
	}
	return assignment.ReplaceAllStringFunc(text, maskAssignment)
}

func maskAssignment(pair string) string {
	key, value, _ := strings.Cut(pair, "=")
	switch {
	case proseKeys[strings.ToLower(key)] && len(value) > 1 && value[0] == '"':
		return key + `="` + assignment.ReplaceAllStringFunc(value[1:len(value)-1], maskAssignment) + `"`
	case proseKeys[strings.ToLower(key)], !secretName.MatchString(key) && harmless.MatchString(strings.Trim(value, `"'`)):
		return pair
	}
	return key + "=" + Masked
}
