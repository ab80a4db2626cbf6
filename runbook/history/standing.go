package history

import (
	"maps"
	"slices"

	"rollbackbot/runbook"
)

// Quarantines gives every blocked image, by the rollback that blocked it, the latest first.
func (h History) Quarantines() []runbook.Quarantine {
	if len(h.quarantine) == 0 {
		return nil
	}
	names := map[runbook.Digest]string{}
	for _, r := range h.releases {
		for _, image := range r.Images {
			if _, blocked := h.quarantine[image.Digest]; blocked && (names[image.Digest] == "" || image.Name < names[image.Digest]) {
				names[image.Digest] = image.Name
			}
		}
	}
	by := map[string][]runbook.Image{}
	for digest, rollback := range h.quarantine {
		by[rollback] = append(by[rollback], runbook.Image{Name: names[digest], Digest: digest})
	}
	var all []runbook.Quarantine
	for _, rb := range slices.Backward(h.rollbacks) {
		if images := by[rb.ID]; images != nil {
			all = append(all, runbook.Quarantine{Rollback: rb.ID, At: rb.At, Images: sortedImages(images)})
			delete(by, rb.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(by)) {
		all = append(all, runbook.Quarantine{Rollback: id, Images: sortedImages(by[id])})
	}
	return all
}

func sortedImages(images []runbook.Image) []runbook.Image {
	slices.SortFunc(images, func(a, b runbook.Image) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	return images
}
