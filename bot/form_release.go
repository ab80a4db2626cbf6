package bot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// maxBarred is how many releases that can't be gone to are listed.
const maxBarred = 8

// releaseFields ask for the release: to be chosen where some are known, and typed otherwise.
func releaseFields(content formContent) []slack.Block {
	d := newDraft()
	switch {
	case content.loading != "":
		d.say(words("Looking up the releases of " + content.loading + " …"))
	case content.trouble != "":
		d.say(words(content.trouble))
	case content.choices.Running != nil:
		d.say(words(content.app+" runs "), bold(shownName(content.choices.Running.Name())), words(releaseFacts(*content.choices.Running, content.choices.At)))
	case content.app != "":
		d.say(words("The hosts of " + content.app + " were not last seen to run one known release."))
	}
	blocks := d.blocks
	if options := releaseOptions(content.choices); len(options) > 0 {
		choice := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, label("Which release?"), fieldRelease, options...)
		typed := slack.NewPlainTextInputBlockElement(label("a version, an ID, sha256:…"), fieldOther).WithMaxLength(maxInputRunes)
		hint := label("Instead of the choice above: a version or ID from the history, sha256: with 12 or more digits, or api=NAME@sha256:… for every service")
		blocks = append(blocks,
			slack.NewInputBlock(fieldRelease, label("Back to"), nil, choice.WithInitialOption(options[0])),
			slack.NewInputBlock(fieldOther, label("Back to another one"), hint, typed).WithOptional(true))
	} else {
		typed := slack.NewPlainTextInputBlockElement(label(runbook.Previous), fieldRelease).WithMaxLength(maxInputRunes)
		hint := label("previous, a version or ID from the history, sha256: with 12 or more digits, or one image for every service: api=NAME@sha256:… worker=…")
		blocks = append(blocks, slack.NewInputBlock(fieldRelease, label("Back to"), hint, typed.WithInitialValue(runbook.Previous)))
	}
	return append(blocks, barredBlocks(content.choices)...)
}

// releaseOptions are the releases that can be chosen, the default first, then the known-good ones.
func releaseOptions(c runbook.Choices) []*slack.OptionBlockObject {
	all := slices.Concat(c.KnownGood, c.Others)
	if len(all) == 0 {
		return nil
	}
	first := option(runbook.Previous, "Default: the last known-good release; none is known")
	if c.Default != nil {
		first = releaseOption(runbook.Previous, "Default: ", *c.Default, c.At)
	}
	options := []*slack.OptionBlockObject{first}
	named := slices.Concat(all, c.Barred)
	if c.Running != nil {
		named = append(named, *c.Running)
	}
	for _, r := range all[:min(len(all), maxOptions-2)] {
		options = append(options, releaseOption(uniqueName(r, named), "", r, c.At))
	}
	if c.Running != nil && c.Running.Quarantine == "" { // for hosts that run it and would not after a restart
		options = append(options, releaseOption(uniqueName(*c.Running, named), "Runs now: ", *c.Running, c.At))
	}
	return options
}

func releaseOption(value, before string, r runbook.Release, now time.Time) *slack.OptionBlockObject {
	facts := releaseFacts(r, now)
	name := runbook.Truncate(r.Name(), maxOptionRunes-utf8.RuneCountInString(before+facts))
	o := option(value, before+name+facts)
	o.Description = plain(shortImages(r.Images), maxOptionRunes)
	return o
}

// releaseFacts are what follows a release's name: how old it is, and how well it ran.
func releaseFacts(r runbook.Release, now time.Time) string {
	var text string
	if !r.LastLiveAt.IsZero() {
		text = ", " + took(max(now.Sub(r.LastLiveAt), 0)) + " old"
	}
	healthy := r.HealthyFor(now)
	switch {
	case healthy > 0:
		text += ", healthy " + took(healthy)
	case !r.KnownGood():
		text += ", not seen healthy"
	}
	if r.FailedBack != "" {
		text += ", a rollback to it failed"
	}
	return text
}

// shortDigest is how many digits of a digest tell releases apart in a list.
const shortDigest = 7

// shortImages names each service's image by the first digits of its digest.
func shortImages(images map[string]runbook.Image) string {
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(images)) {
		digits := strings.TrimPrefix(string(images[service].Digest), "sha256:")
		parts = append(parts, service+" "+digits[:min(shortDigest, len(digits))])
	}
	return orElse(strings.Join(parts, ", "), "images not known")
}

// barredBlocks list the releases that can't be chosen, and why.
func barredBlocks(c runbook.Choices) []slack.Block {
	if len(c.Barred) == 0 {
		return nil
	}
	d := newDraft()
	d.field("Can't be chosen")
	var points [][]span
	for i, r := range c.Barred {
		if i == maxBarred {
			points = append(points, []span{words(fmt.Sprintf("… and %d more", len(c.Barred)-i))})
			break
		}
		points = append(points, []span{bold(shownName(r.Name())), words(": " + barredWhy(r))})
	}
	d.points(points)
	return d.blocks
}

func barredWhy(r runbook.Release) string {
	if r.Quarantine != "" {
		return "quarantined by " + r.Quarantine
	}
	var names []string
	for _, image := range r.Gone {
		names = append(names, image.Name+"@"+image.Digest.Short())
	}
	return "gone: on no host and not in the registry at " + instant(r.CheckedAt) + ": " + runbook.Truncate(strings.Join(names, ", "), 200)
}

// uniqueName is what people call a release, or its ID where that names several or doesn't fit.
func uniqueName(r runbook.Release, all []runbook.Release) string {
	same := func(other runbook.Release) bool {
		return other.ID != r.ID && (other.Version == r.Version || other.ID == r.Version)
	}
	if r.Version == "" || r.Version == runbook.Previous || utf8.RuneCountInString(r.Version) > maxOptionRunes || slices.ContainsFunc(all, same) {
		return r.ID
	}
	return r.Version
}
