package runbook

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys makes the order of what is shown and hashed not depend on a map's.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
