package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command explains itself, and its examples are lines that it takes.
func TestHelp_EveryCommand(t *testing.T) {
	seen := 0
	var look func(*cobra.Command)
	look = func(command *cobra.Command) {
		seen++
		if command.Short == "" || command.Long == "" || command.Example == "" {
			t.Errorf("%s: a command has a line, an explanation and an example", command.CommandPath())
		}
		for _, line := range exampleLines(command.Example) {
			tryExample(t, command.CommandPath(), line)
		}
		for _, child := range command.Commands() {
			look(child)
		}
	}
	look(rootCommand())
	if seen < 15 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

// The test of the examples can fail.
func TestHelp_KnowsAWrongExample(t *testing.T) {
	for _, line := range []string{
		"rollbackbot plan", "rollbackbot plan shop --from v1", "rollbackbot play shop", "docker ps", "rollbackbot lock shop --for soon", `rollbackbot lock shop --reason "open`,
	} {
		if exampleProblem("rollbackbot plan", line) == "" && exampleProblem("rollbackbot lock", line) == "" {
			t.Errorf("%q passes for an example", line)
		}
	}
}

func tryExample(t *testing.T, path, line string) {
	t.Helper()
	if why := exampleProblem(path, line); why != "" {
		t.Errorf("the help of %s shows %q: %s", path, line, why)
	}
}

// exampleProblem says why a line is no example of a command, or "".
func exampleProblem(path, line string) string {
	words, whole := shellWords(line)
	if !whole || len(words) == 0 || words[0] != "rollbackbot" {
		return "it is no line that a shell gives to rollbackbot"
	}
	found, rest, err := rootCommand().Find(words[1:])
	switch {
	case err != nil:
		return err.Error()
	case !strings.HasPrefix(found.CommandPath()+" ", path+" "):
		return "that is " + found.CommandPath()
	}
	if err := found.ParseFlags(rest); err != nil {
		return err.Error()
	}
	if err := found.ValidateArgs(found.Flags().Args()); err != nil {
		return err.Error()
	}
	return ""
}

// exampleLines joins what a backslash continues.
func exampleLines(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n")
}

// shellWords splits a line as a shell does, up to a comment, a redirection or a second command; false where a quote stays open.
func shellWords(line string) (words []string, whole bool) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		for _, word := range strings.Fields(part) {
			if strings.HasPrefix(word, "#") || strings.HasPrefix(word, ">") || word == "&&" {
				return words, true
			}
			words = append(words, word)
		}
	}
	return words, strings.Count(line, `"`)%2 == 0
}
