package runbook

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys makes the order of what is shown and hashed not depend on a map's.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// unique leaves each word once, in the order of their first use.
func unique(words []string) []string {
	var out []string
	for _, word := range words {
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}
