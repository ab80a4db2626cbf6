package shapes

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollbackbot/internal/parts"
)

// table is the result of each shape on each host.
type table struct {
	shapes []Shape
	roots  []parts.HostRoot

	mu    sync.Mutex
	words map[[2]string]string
	known []string // lines of what goes wrong
}

func newTable(shapes []Shape, roots []parts.HostRoot) *table {
	return &table{shapes: shapes, roots: roots, words: map[[2]string]string{}}
}

func (m *table) set(shape, suite, word string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.words[[2]string{shape, suite}] = word
}

// The lines between which the table stands in the page.
const (
	tableBegins = "<!-- make matrix: begin -->\n"
	tableEnds   = "<!-- make matrix: end -->\n"
)

// write puts the table into the page.
func (m *table) write(t *testing.T, page string) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begins := strings.Cut(string(content), tableBegins)
	_, tail, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", page)
	}
	if err := os.WriteFile(page, []byte(head+tableBegins+m.text()+tableEnds+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *table) text() string {
	var b strings.Builder
	counts := map[string]int{}
	b.WriteString("| shape | what is special |")
	for _, root := range m.roots {
		fmt.Fprintf(&b, " %s: Docker %s, Compose %s |", root.Suite, root.Engine, root.Compose)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(m.roots)) + "\n")
	for _, shape := range m.shapes {
		fmt.Fprintf(&b, "| %s | %s |", shape.Name, shape.About)
		for _, root := range m.roots {
			word := m.words[[2]string{shape.Name, root.Suite}]
			if word == "" {
				word = notFor
			}
			counts[word]++
			fmt.Fprintf(&b, " %s |", word)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\n%d shapes on %d hosts:", len(m.shapes), len(m.roots))
	for _, word := range []string{didSucceed, didRefuse, didSayNo, didFail, wasWrong} {
		fmt.Fprintf(&b, " %d %s,", counts[word], word)
	}
	return strings.TrimSuffix(b.String(), ",") + ".\n"
}

// note takes a line for the list of what goes wrong.
func (m *table) note(shape, suite, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, _, _ := strings.Cut(why, "\n")
	m.known = append(m.known, fmt.Sprintf("%s %s: %s\n", shape, suite, first))
}

// writeKnown writes the list of what goes wrong.
func (m *table) writeKnown(t *testing.T) {
	t.Helper()
	slices.Sort(m.known)
	if err := os.WriteFile(knownFile, []byte(knownHead+strings.Join(m.known, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

const knownHead = "# What goes wrong, as \"shape host: why\". A line whose shape goes right fails the test: remove it.\n"
