package compose

import (
	"fmt"
	"regexp"
	"strings"

	"rollbackbot/runbook"
)

// stackFault is a text by which compose says that it can't read the stack, and what is said of it here. Compose quotes what it
// couldn't read, and that is the stack's secrets: so only what the groups of the pattern hold is ever said, which are paths,
// line numbers, and names of fields and variables.
type stackFault struct {
	text         *regexp.Regexp
	what, remedy string // $1 and $2 are the pattern's groups; <file> and <env> the app's own files
}

// What may be said.
const (
	aPath = `([^"'` + "`" + `:\n]{1,200}?)`
	aLine = `line (\d{1,7})`
	// Compose 2 has the one form, 5.6 both. The place may be a stretch, and then its beginning is told.
	aYAML     = `(?:yaml: (?:(?:unmarshal|construct) errors:\s+)?(?:line \d{1,7}: )?line (\d{1,7})|go-yaml load error in [^\n]{1,80}? at L(\d{1,7})\.C)`
	aField    = `((?:services|networks|volumes|secrets|configs|x-[a-z-]{1,20})(?:\.[A-Za-z0-9_-]{1,60}|\.?\[\d*\]){1,6})`
	aVariable = `([A-Z_][A-Z0-9_]{0,60})` // a name in small letters may be a piece of a password with a $ in it
	aService  = `"?([a-zA-Z0-9][a-zA-Z0-9._-]{0,60})"?`
)

// stackFaults are the texts of compose-go 1.2 to 2.13, which is Compose 2.3 to 5.6: dotenv/parser.go, dotenv/godotenv.go,
// template/template.go, interpolation/interpolation.go, loader/, types/ and validation/ there. The first that is found counts.
var stackFaults = []stackFault{
	// The env file. Older versions name neither file nor line.
	{at(`failed to read ` + aPath + `: ` + aLine + `: unexpected character `), "$1 line $2 has no NAME=value", dotenvRemedy},
	{at(`failed to read ` + aPath + `: ` + aLine + `: key cannot contain a space`), "$1 line $2 has a space before its =", dotenvRemedy},
	{at(`failed to read ` + aPath + `: ` + aLine + `: unterminated quoted value`), "$1 has a quote that is not closed, in line $2 or before", "Close the quote"},
	{at(`failed to read ` + aPath + `: Invalid template:`), "$1 has a $$ that begins no variable", "Find it there with `grep -n '[$$]' $1`, and put that value in single quotes"},
	{at(`failed to read ` + aPath + `: required variable ` + aVariable + ` `), "$1 needs the variable $2, which isn't set", "Write $2 into it, above that line"},
	{at(`failed to read ` + aPath + `: `), "$1 has a line that is no NAME=value", dotenvRemedy},
	{at(`(?:` + aLine + `: )?unexpected character .* in variable name`), "<env> has a line that is no NAME=value", dotenvRemedy},
	{at(`(?:` + aLine + `: )?key cannot contain a space`), "<env> has a line with a space before its =", dotenvRemedy},
	{at(`(?:` + aLine + `: )?unterminated quoted value`), "<env> has a quote that is not closed", "Close the quote"},
	{at(`env file ` + aPath + ` not found`), "there is no env file $1, which <file> names", "Write it, or take it out of <file>"},
	{at(`(?i)couldn't (?:find|read) env file: ` + aPath + `$`), "the env file $1 can't be read", "Check ENV_FILE"},

	// Variables in the compose file.
	{at(`invalid interpolation format for ` + aField), "$1 in <file> has a $$ that begins no variable", "Write $$$$ for a dollar sign there"},
	{at(`error while interpolating ` + aField + `: required variable ` + aVariable + ` `), "$1 in <file> needs the variable $2, which isn't set in a login shell", "Write $2 into <env>"},
	{at(`error while interpolating ` + aField + `: failed to cast`), "$1 in <file> gets a value of the wrong type from its variable", "Correct that variable"},
	{at(`error while interpolating ` + aField + `: `), "the variables of $1 in <file> can't be filled in", byHandRemedy},
	{at(`.*required variable ` + aVariable + ` is missing a value`), "the stack needs the variable $1, which isn't set in a login shell", "Write $1 into <env>"},
	{at(`.*required variable [a-z]\w* is missing a value`), "<file> needs a variable that isn't set in a login shell", byHandRemedy},

	// YAML and the schema.
	{at(`(?:failed to parse|parsing|validating) ` + aPath + `: ` + aYAML), "at line $2$3 of $1 begins what is no YAML of a compose file", yamlRemedy},
	{at(aYAML), "at line $1$2 of <file> begins what is no YAML of a compose file", yamlRemedy},
	{at(aLine + `: mapping key `), "<file> line $1 has a key for the second time", "Keep one of them"},
	{at(`(?:failed to parse|parsing) ` + aPath + `: `), "$1 is not the YAML of a compose file", yamlRemedy},
	{at(`validating ` + aPath + `: ` + aField + `\b`), "$2 in $1 is not as a compose file has it", yamlRemedy},
	{at(`validating ` + aPath + `: `), "$1 is not as a compose file has it", yamlRemedy},
	{at(`(?s:.*)'services\[([a-zA-Z0-9._-]{1,60})\]\.([a-z_]{1,60})\b`), "services.$1.$2 in <file> has a value that compose doesn't take", "Correct that value, or the variable in it"},
	{at(aField + `:? `), "$1 in <file> is not as a compose file has it", yamlRemedy},
	{at(`(?:go-)?yaml\b`), "<file> is not the YAML of a compose file", yamlRemedy},
	{at(`(?:empty compose file|top-level object must be a mapping)`), "<file> is no compose file", "Check COMPOSE_FILE"},

	// What the file speaks of and does not have.
	{at(`service ` + aService + ` (?:refers to|depends on) `), "the service $1 in <file> refers to something that isn't there", "Correct services.$1 in it"},
	{at(`service ` + aService + ` has neither an image nor a build`), "the service $1 in <file> has no image", "Write `image:` for it there"},
	{at(`(?:open|stat) ` + aPath + `: permission denied`), "the SSH user may not read $1", "Let that user read it"},
}

const (
	dotenvRemedy = "Write NAME=value there, the name in letters, digits and _"
	yamlRemedy   = "Correct it there"
	byHandRemedy = "Run it there by hand in a login shell, and fix what it says: <byhand>"
)

// missingFile comes after the compose file itself was looked for.
var missingFile = stackFault{at(`(?:open|stat) ` + aPath + `: no such file`), "there is no file $1, which <file> needs", "Put it there, or take it out of <file>"}

// at is a pattern for the beginning of a line, after what docker and compose put before a text.
func at(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^(?:time="[^"]*" level=(?:fatal|error) msg=")?(?:Error: |ERROR: )?` + pattern)
}

// mostSaid is how many bytes of the end of an output are looked at: the fault comes last, after all warnings.
const mostSaid = 16 << 10

// stackProblem says why compose can't read the stack. What it printed is never quoted.
func (h *appHost) stackProblem(r result) error {
	said := r.stderr[max(0, len(r.stderr)-mostSaid):]
	for _, f := range stackFaults {
		if told := f.problem(h, said); told != nil {
			return told
		}
	}
	if known := h.engineProblem(r); known != nil {
		return known
	}
	if told := missingFile.problem(h, said); told != nil {
		return told
	}
	unknown := stackFault{at(""), fmt.Sprintf("it ends with status %d; what it printed is not shown, for it may hold secrets", r.status), byHandRemedy}
	return unknown.problem(h, nil)
}

// problem is the fault, if the output tells of it.
func (f stackFault) problem(h *appHost, output []byte) error {
	found := f.text.FindSubmatchIndex(output)
	if found == nil {
		return nil
	}
	l := h.launch()
	check := compose(h.app, l.words, "config", "-q")
	literal := func(text string) string { return strings.ReplaceAll(text, "$", "$$") }
	names := strings.NewReplacer("<file>", literal(strings.Join(l.files, ", ")), "<env>", literal(l.pins), "<byhand>", literal("`"+runbook.Command{Args: check.Args, Dir: check.Dir}.String()+"`"))
	say := func(sentence string) string {
		return string(f.text.Expand(nil, []byte(group.ReplaceAllString(names.Replace(sentence), "$${$1}")), output, found))
	}
	return h.problem(say(f.remedy), "compose can't read the stack: %s", say(f.what))
}

// group is where a sentence has a group of the pattern.
var group = regexp.MustCompile(`\$(\d)`)
