package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// blanks are the variables that compose warns about, and what they are for. Stacks run for years with some that nobody set:
// what counts is whether a container would be made with another value than the one that runs.
type blanks struct {
	names []string
	used  map[string][]string // by service, those that it has in its configuration; nil: that could not be found out
	image map[string][]string // by service, those that it has in its image
	// By service, what a container's environment has of them; nil for one that has blanks elsewhere in its configuration.
	environment map[string][]blankLine
}

// blankLine is a line of a container's environment that blanks are part of.
type blankLine struct {
	text  string // NAME=value, with the blanks
	names []string
}

// blankMark stands in the place of a blank, to see where it goes.
const blankMark = "rollbackbot-blank-"

// unsetVariables reads compose's warnings, which have been the same since 2.0, in the form of its log (text, or JSON where
// --progress says so): The "X" variable is not set. Defaulting to a blank string. (compose-go, template.go)
func unsetVariables(stderr []byte) []string {
	var names []string
	for line := range strings.Lines(string(stderr)) {
		if before, _, found := strings.Cut(line, " variable is not set"); found {
			name := strings.Trim(before[strings.LastIndexByte(before, ' ')+1:], `\"'`)
			if variableName.MatchString(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// findBlanks renders the stack with something in the place of each blank.
func (h *appHost) findBlanks(ctx context.Context, l launch, names []string) (blanks, error) {
	b := blanks{names: names, image: map[string][]string{}}
	if len(names) == 0 {
		return b, nil
	}
	pins := h.placeholders()
	for _, name := range names {
		pins = append(pins, runbook.Pin{Variable: name, Value: blankMark + name + "."})
	}
	r, err := h.askExporting(ctx, render(h.app, l.words, pins))
	if err != nil || r.status != 0 {
		return b, err // as where a number has to stand there
	}
	var file struct{ Services map[string]json.RawMessage }
	if json.Unmarshal(r.stdout, &file) != nil {
		return b, nil
	}
	b.used, b.environment = map[string][]string{}, map[string][]blankLine{}
	for service, configuration := range file.Services {
		var view struct{ Image string }
		_ = json.Unmarshal(configuration, &view) // an image that is no text has no blank in it
		for _, name := range names {
			if strings.Contains(string(configuration), blankMark+name+".") {
				b.used[service] = append(b.used[service], name)
			}
			if strings.Contains(view.Image, blankMark+name+".") {
				b.image[service] = append(b.image[service], name)
			}
		}
		b.environment[service] = environmentWithBlanks(configuration)
	}
	return b, nil
}

var blankMarks = regexp.MustCompile(blankMark + `[A-Za-z0-9_]+\.`)

// environmentWithBlanks are the lines of a rendered service's environment that have blanks in them, as a container gets
// them; nil where something else has.
func environmentWithBlanks(configuration []byte) []blankLine {
	var service map[string]json.RawMessage
	var environment map[string]*string
	if json.Unmarshal(configuration, &service) != nil || json.Unmarshal(service["environment"], &environment) != nil {
		return nil
	}
	for key, value := range service {
		if key != "environment" && blankMarks.Match(value) {
			return nil
		}
	}
	found := []blankLine{}
	for key, value := range environment {
		if value == nil || !blankMarks.MatchString(*value) {
			continue
		}
		line := blankLine{text: key + "=" + strings.ReplaceAll(blankMarks.ReplaceAllString(*value, ""), "$$", "$")}
		for _, mark := range blankMarks.FindAllString(*value, -1) {
			line.names = appendOnce(line.names, strings.TrimSuffix(strings.TrimPrefix(mark, blankMark), "."))
		}
		found = append(found, line)
	}
	return found
}

// changed are the blanks of a service that some container of it doesn't have in the same place; all where that can't be
// seen. The environment of a container holds secrets, and stays in memory.
func (b blanks) changed(ctx context.Context, h *appHost, s sight, service string) ([]string, error) {
	wanted := b.environment[service]
	var ids []string
	for _, c := range s.containers {
		if c.Service == service {
			ids = append(ids, c.ID)
		}
	}
	if wanted == nil || len(ids) == 0 {
		return b.of(service), nil
	}
	r, err := h.ask(ctx, docker(h.app, append([]string{"inspect", "--format", "{{json .Config.Env}}"}, ids...)...))
	if err != nil {
		return nil, err
	}
	all, err := Lines[[]string](r.stdout)
	if err != nil || r.status != 0 || len(all) != len(ids) {
		return b.of(service), nil
	}
	var names []string
	for _, line := range wanted {
		if slices.ContainsFunc(all, func(environment []string) bool { return !slices.Contains(environment, line.text) }) {
			for _, name := range line.names {
				names = appendOnce(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// of are the blanks in a service's configuration; all of them where that could not be found out.
func (b blanks) of(service string) []string {
	if b.used == nil {
		return b.names
	}
	return b.used[service]
}

// judge refuses what would make a container with a blank that the one that runs doesn't have, and warns of the rest.
func (b blanks) judge(ctx context.Context, h *appHost, s sight, all map[string]drift) (warnings []string, err error) {
	var kept, untold []string
	var problems []runbook.Problem
	say := func(names []string, what string) {
		problems = append(problems, runbook.Problem{Host: h.host, What: what, Remedy: "Write " + strings.Join(names, ", ") + " into " + h.launch().pins + " or the login shell's profile"})
	}
	for _, service := range h.app.Services {
		names := b.of(service.Name)
		list, d := strings.Join(names, ", "), all[service.Name]
		var changed []string
		if len(names) > 0 && (d.drifted || d.untold != "" || !s.has(service.Name)) {
			if changed, err = b.changed(ctx, h, s, service.Name); err != nil {
				return nil, err
			}
		}
		switch {
		case slices.Contains(b.names, service.Variable):
			say([]string{service.Variable}, fmt.Sprintf("compose sees no value of %s, and would start %s without an image", service.Variable, service.Name))
		case len(b.image[service.Name]) > 0:
			say(b.image[service.Name], fmt.Sprintf("the image of %s has a blank in it, since these variables are not set in a login shell: %s", service.Name, strings.Join(b.image[service.Name], ", ")))
		case len(names) == 0:
		case len(changed) > 0 && d.untold != "":
			untold = append(untold, service.Name+" ("+list+")")
		case len(changed) > 0:
			say(changed, fmt.Sprintf("compose would start %s with blanks that its containers were not made with, since these variables are not set in a login shell: %s", service.Name, strings.Join(changed, ", ")))
		default:
			kept = append(kept, service.Name+" ("+list+")")
		}
	}
	if len(problems) > 0 {
		return nil, &runbook.PreflightError{Problems: problems}
	}
	if len(kept) > 0 {
		warnings = append(warnings, "these run with blanks, and will again, since these variables are not set: "+strings.Join(kept, ", "))
	}
	if len(untold) > 0 {
		warnings = append(warnings, "these will run with blanks, since these variables are not set, and whether they do now can't be told: "+strings.Join(untold, ", "))
	}
	return warnings, nil
}

// has reports whether a planned service has a container.
func (s sight) has(service string) bool {
	return slices.ContainsFunc(s.containers, func(c container) bool { return c.Service == service })
}
