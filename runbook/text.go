package runbook

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Truncate cuts s to at most n characters (not bytes), the last of which is then "…".
func Truncate(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	return string(runes[:n-1]) + "…"
}

// LastLines gives the last n lines of an output that aren't blank, masked. The whole is masked before it is cut: a line
// from the middle of a private key shows nothing of what it is.
func LastLines(output []byte, n int) string {
	var lines []string
	for line := range strings.Lines(Mask(string(output))) {
		// A progress display overwrites its line by carriage returns: what stands at its end is what one would see.
		if i := strings.LastIndexByte(strings.TrimRight(line, "\r\n"), '\r'); i >= 0 {
			line = line[i+1:]
		}
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// UpperFirst gives a sentence its capital.
func UpperFirst(text string) string {
	if text != "" && text[0] >= 'a' && text[0] <= 'z' {
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return text
}

// Count is a number with its noun, in the plural where it isn't 1.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// SortedKeys makes the order of what is shown and hashed not depend on a map's.
func SortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// Unique leaves each word once, in the order of their first use.
func Unique(words []string) []string {
	var out []string
	for _, word := range words {
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}
