package main

import (
	"os"
	"strings"
	"testing"

	"rollbackbot/config"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The README's tables are those of the program: every variable with its meaning and default, and no other.
func TestREADME_ListsEveryVariable(t *testing.T) {
	_, section, found := strings.Cut(readme(t), "### Every variable\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal("the README has no section \"Every variable\"")
	}
	rows := map[string]bool{}
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			rows[strings.TrimSpace(line)] = true
		}
	}
	for _, v := range config.Variables() {
		row := variableRow(v)
		if !rows[row] {
			t.Errorf("the README lacks this row:\n%s", row)
		}
		delete(rows, row)
	}
	for row := range rows {
		t.Errorf("the README has a row that no variable has:\n%s", row)
	}
}

func variableRow(v config.Variable) string {
	meaning, standard := v.Meaning, "–"
	switch {
	case v.Required:
		standard = "**required**"
	case v.Default != "":
		standard = "`" + v.Default + "`"
	}
	name := strings.TrimPrefix(v.Name, "ROLLBACK_APP_<APP>_") // the table of an app's variables says so once
	return "| `" + name + "` | " + meaning + " | " + standard + " |"
}

// Every command is in the README's table of commands, and the table has no other.
func TestREADME_ListsEveryCommand(t *testing.T) {
	_, section, found := strings.Cut(readme(t), "## In a terminal\n")
	if !found {
		t.Fatal("the README has no section \"In a terminal\"")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]bool{}
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		first := strings.SplitN(line, " | ", 2)[0]
		for i, part := range strings.Split(first, "`") {
			if i%2 == 1 {
				listed[strings.Fields(part)[0]] = true
			}
		}
	}
	for _, command := range rootCommand().Commands() {
		if name := command.Name(); name != "help" && !listed[name] {
			t.Errorf("the README's table of commands lacks %q", name)
		}
		delete(listed, command.Name())
	}
	for name := range listed {
		t.Errorf("the README lists %q, which is no command", name)
	}
}
