package bot

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"rollbackbot/runbook"
)

// grammarError is a line that can't be read, with lines that may have been meant: those that read well are offered.
type grammarError struct {
	problem string
	guesses []string
}

func (e *grammarError) Error() string { return e.problem }

// parser reads one line from left to right.
type parser struct {
	line    string
	words   []word
	command Command
	given   map[string]bool // the clauses so far
}

func parseClean(line string) (Command, error) {
	p := &parser{line: line, words: splitWords(line), given: map[string]bool{}}
	if len(p.words) > 0 && p.words[0].key() == slash {
		p.words = p.words[1:]
	}
	if len(p.words) == 0 {
		return Command{Verb: VerbForm}, nil
	}
	if err := p.begin(); err != nil {
		return Command{}, err
	}
	return p.command, nil
}

// take gives the next word; false at the end.
func (p *parser) take() (word, bool) {
	if len(p.words) == 0 {
		return word{}, false
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w, true
}

// operand gives the next word where one has to stand; a keyword is none.
func (p *parser) operand() (word, bool) {
	if len(p.words) == 0 || isClause(p.words[0]) {
		return word{}, false
	}
	return p.take()
}

var clauses = []string{"to", "migration", "owner", "because"}

func isClause(w word) bool { return slices.Contains(clauses, w.key()) }

// begin reads the first word: a verb or an app.
func (p *parser) begin() error {
	first, _ := p.take()
	verb := Verb(first.key())
	if first.key() == "--help" || first.key() == "-h" || first.key() == "?" {
		verb = VerbHelp
	}
	switch verb {
	case VerbDoctor, VerbHelp:
		p.command.Verb = verb
		return p.end()
	case VerbStatus:
		return p.status()
	case VerbHistory, VerbQuarantine:
		return p.aboutApp(verb)
	case VerbAbort:
		return p.abort()
	case VerbLift:
		return p.lift()
	case VerbPlan:
		p.command.Verb = VerbPlan
		w, ok := p.operand()
		if !ok {
			return wrong("Which app's plan? Name it: " + slash + " plan APP")
		}
		return p.rollback(w)
	}
	p.command.Verb = VerbRollback
	if isClause(first) {
		return wrong("Which app? Its name comes first, as in: " + slash + " APP " + strings.TrimSpace(p.line[first.from:]))
	}
	return p.rollback(first)
}

func wrong(problem string, guesses ...string) error {
	return &grammarError{problem: problem, guesses: guesses}
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	extra, ok := p.take()
	if !ok {
		return nil
	}
	return wrong(fmt.Sprintf("%q is too much after %q.", extra.text, p.command.Verb), p.line[:extra.from])
}

var (
	appPattern      = regexp.MustCompile(`^[a-z0-9-]+$`)
	rollbackPattern = regexp.MustCompile(`^rb-[a-z0-9]+$`)
)

func (p *parser) app(w word) error {
	p.command.App = w.key()
	if !appPattern.MatchString(p.command.App) {
		return wrong(fmt.Sprintf("%q is no app's name: those have lower-case letters, digits and hyphens.", w.text), "help")
	}
	if rollbackPattern.MatchString(p.command.App) && len(p.command.App) > len("rb-") {
		id := p.command.App
		return wrong(fmt.Sprintf("%s is a rollback's ID, not an app's name.", id), "status "+id)
	}
	return nil
}

func (p *parser) status() error {
	p.command.Verb = VerbStatus
	w, ok := p.operand()
	switch {
	case !ok:
		return p.end()
	case rollbackPattern.MatchString(w.key()):
		p.command.ID = w.key()
		return p.end()
	}
	if err := p.app(w); err != nil {
		return err
	}
	return p.end()
}

func (p *parser) aboutApp(verb Verb) error {
	p.command.Verb = verb
	w, ok := p.operand()
	switch {
	case ok:
		if err := p.app(w); err != nil {
			return err
		}
	case verb == VerbHistory:
		return wrong("Whose history? Name the app: " + slash + " history APP")
	}
	return p.end()
}

func (p *parser) abort() error {
	p.command.Verb = VerbAbort
	w, ok := p.operand()
	switch {
	case !ok:
		return wrong("Which rollback? Its ID begins with rb- and stands in its message; \"status\" names the open ones.", "status")
	case !rollbackPattern.MatchString(w.key()):
		return wrong(fmt.Sprintf("%q is no rollback's ID: those begin with rb- and stand in the rollback's message.", w.text), "status "+w.key())
	}
	p.command.ID = w.key()
	return p.end()
}

func (p *parser) lift() error {
	p.command.Verb = VerbLift
	w, ok := p.operand()
	if !ok {
		return wrong("Which image? Give its digest and the cause: " + slash + " lift sha256:… because CAUSE, with the postmortem's link in it.")
	}
	digest, err := readDigest(w)
	if err != nil {
		return err
	}
	p.command.Digest = digest
	next, ok := p.take()
	switch {
	case !ok:
		return wrong("Why may it be deployed again? Say so, with the postmortem's link: " + slash + " lift " + digest + " because https://…")
	case next.key() != "because":
		return wrong(fmt.Sprintf("%q is not understood here: the cause comes after \"because\".", next.text), p.line[:next.from]+"because "+p.line[next.from:])
	}
	return p.because(next)
}

// rollback reads an app and its clauses, in any order.
func (p *parser) rollback(first word) error {
	if err := p.app(first); err != nil {
		return err
	}
	for {
		w, ok := p.take()
		if !ok {
			return nil
		}
		if !isClause(w) || p.command.Verb == VerbPlan && w.key() != "to" {
			return p.notUnderstood(first, w)
		}
		if p.given[w.key()] {
			return wrong(fmt.Sprintf("%q is there twice.", w.key()), p.line[:w.from])
		}
		p.given[w.key()] = true
		if err := p.clause(w); err != nil {
			return err
		}
	}
}

func (p *parser) clause(w word) error {
	switch w.key() {
	case "to":
		return p.to(w)
	case "migration":
		return p.migration(w)
	case "owner":
		return p.owner(w)
	}
	return p.because(w)
}

// because takes the rest of the line.
func (p *parser) because(w word) error {
	p.words = nil
	p.command.Reason = prose(p.line[w.to:], p.command.Verb == VerbLift)
	if p.command.Reason == "" {
		return wrong("After \"because\" comes the reason.", p.line[:w.from])
	}
	return nil
}

func (p *parser) migration(clause word) error {
	const problem = "After \"migration\" comes none, yes or unknown: did the failed release have a database migration?"
	w, ok := p.operand()
	if !ok {
		return wrong(problem, p.line[:clause.to]+" unknown "+p.line[clause.to:])
	}
	switch w.key() {
	case "none", "yes", "unknown":
		p.command.Migration = w.key()
		return nil
	case "no":
		return wrong(problem, p.line[:w.from]+"none"+p.line[w.to:])
	}
	return wrong(problem, p.line[:w.from]+"unknown"+p.line[w.to:])
}

func (p *parser) owner(clause word) error {
	const problem = "After \"owner\" comes a person, picked from the list that Slack shows after @. Without an owner it is who asks."
	w, ok := p.operand()
	if !ok {
		return wrong(problem, p.line[:clause.from]+p.line[clause.to:])
	}
	id, _, ok := personOf(w.text)
	if !ok {
		return wrong(problem, p.line[:clause.from]+p.line[w.to:])
	}
	p.command.Owner = id
	return nil
}

func (p *parser) to(clause word) error {
	w, ok := p.operand()
	if !ok {
		return wrong("After \"to\" comes a release: previous, a version, an ID, sha256: with 12 or more digits, or SERVICE=IMAGE for every service.", p.line[:clause.from]+p.line[clause.to:])
	}
	if strings.Contains(w.text, "=") {
		return p.images(w)
	}
	release, err := readRelease(w)
	if err != nil {
		return err
	}
	if next := p.words; len(next) > 0 && strings.Contains(next[0].text, "=") && !isClause(next[0]) {
		return wrong(fmt.Sprintf("A rollback goes to a release, %s, or to images, %s…, not to both.", release, next[0].text), p.line[:next[0].from])
	}
	p.command.Release = release
	return nil
}

var servicePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// images reads one or more SERVICE=REF.
func (p *parser) images(w word) error {
	p.command.Images = map[string]runbook.Image{}
	for {
		service, ref, _ := strings.Cut(w.text, "=")
		service, ref = strings.Trim(service, marks), strings.Trim(ref, marks)
		if !servicePattern.MatchString(service) {
			return wrong(fmt.Sprintf("%q is no service's name.", service))
		}
		if _, twice := p.command.Images[service]; twice {
			return wrong(fmt.Sprintf("The service %s is there twice.", service))
		}
		image, err := runbook.ParseImage(ref)
		if err != nil {
			return wrongImage(err)
		}
		p.command.Images[service] = image
		if len(p.words) == 0 || isClause(p.words[0]) || !strings.Contains(p.words[0].text, "=") {
			return nil
		}
		w, _ = p.take()
	}
}

func wrongImage(err error) error {
	var image *runbook.ImageError
	if errors.As(err, &image) {
		return wrong(fmt.Sprintf("%q is no image that can be rolled back to: %s.", image.Ref, image.Why))
	}
	return wrong(err.Error())
}

var (
	digestPattern    = regexp.MustCompile(`^sha256:[0-9a-f]{12,64}$`)
	releaseIDPattern = regexp.MustCompile(`^r-[0-9a-f]{12}$`)
)

// readDigest reads "sha256:" and 12 to 64 digits; the mark behind a digest that was shown shortened is left away.
func readDigest(w word) (string, error) {
	digest := strings.TrimRight(w.key(), "….")
	if !digestPattern.MatchString(digest) {
		return "", wrong(fmt.Sprintf("%q is no digest: after sha256: come 12 to 64 hex digits.", w.text))
	}
	return digest, nil
}

func readRelease(w word) (string, error) {
	switch key := w.key(); {
	case key == runbook.Previous, releaseIDPattern.MatchString(key):
		return key, nil
	case strings.HasPrefix(key, "sha256:"):
		return readDigest(w)
	case strings.ContainsFunc(w.text, unicode.IsSpace):
		return "", wrong(fmt.Sprintf("%q is no release: those have no spaces.", w.text))
	case strings.Contains(w.text, "@"):
		return "", wrong("An image needs its service's name before it, and every service is named, as in: to api=NAME@sha256:… worker=NAME@sha256:… web=NAME@sha256:…")
	case strings.Contains(w.text, ":"):
		_, err := runbook.ParseImage(w.text)
		return "", wrongImage(err)
	}
	return w.text, nil
}

// notUnderstood guesses what a word that stands where a clause should was meant to be.
func (p *parser) notUnderstood(first, w word) error {
	junk := []word{w}
	for len(p.words) > 0 && !isClause(p.words[0]) {
		next, _ := p.take()
		junk = append(junk, next)
	}
	before, after := p.line[:w.from], p.line[junk[len(junk)-1].to:]
	text := p.line[w.from:junk[len(junk)-1].to]
	asRelease, asReason := before+"to "+text+after, before+after+" because "+text
	guesses := []string{asReason, asRelease}
	if len(junk) == 1 && (strings.ContainsAny(w.text, "0123456789=:") || w.key() == runbook.Previous) {
		guesses = []string{asRelease, asReason}
	}
	if verb := similarVerb(first.key()); verb != "" {
		guesses = append([]string{string(verb) + p.line[first.to:]}, guesses...)
	}
	guesses = append(guesses, before+after)
	return wrong(fmt.Sprintf("%q is not understood: after the app come %s.", w.text, strings.Join(clauseHelp(p.command.Verb), ", ")), guesses...)
}

func clauseHelp(verb Verb) []string {
	if verb == VerbPlan {
		return []string{"\"to\" and a release"}
	}
	return []string{"\"to\" and a release", "\"migration\" none, yes or unknown", "\"owner\" @person", "\"because\" and the reason"}
}

// similarVerb is the verb that differs from a word in at most two letters.
func similarVerb(text string) Verb {
	for _, verb := range verbs {
		if n := distance(text, string(verb)); n > 0 && n <= 2 {
			return verb
		}
	}
	return ""
}

// distance counts the letters to insert, drop or replace between two words (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
