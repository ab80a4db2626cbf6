package runbook

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Standing is how an app stands, by what is known without asking a host: what people want to know at a glance.
type Standing struct {
	App         string
	Choices                  // what runs, and where a rollback could go; without its Evidence, which takes asking
	Apart       string       // what the hosts were last seen to run where that isn't one known release; empty where it is
	Open        *Rollback    // the one that has not ended; nil: none
	Last        *Rollback    // the last one that ended; nil: none did
	Quarantines []Quarantine // the latest first
}

// Quarantine is what one rollback blocked, as far as it is blocked still.
type Quarantine struct {
	Rollback string
	At       time.Time // when that was asked for; zero: not known
	Images   []Image   // sorted; one of no known release has no name
	// Ticket and Record are where its postmortem is and where its record stands. Both are zero in those that come after
	// the first StandingTickets.
	Ticket TicketState
	Record Post
}

// StandingTickets is how many of an app's quarantines a Standing looks up the tickets of: more than fit where they are shown.
const StandingTickets = 5

// Quarantines gives every blocked image, by the rollback that blocked it, the latest first.
func (h History) Quarantines() []Quarantine {
	if len(h.quarantine) == 0 {
		return nil
	}
	names := map[Digest]string{}
	for _, r := range h.releases {
		for _, image := range r.Images {
			if _, blocked := h.quarantine[image.Digest]; blocked && (names[image.Digest] == "" || image.Name < names[image.Digest]) {
				names[image.Digest] = image.Name
			}
		}
	}
	by := map[string][]Image{}
	for digest, rollback := range h.quarantine {
		by[rollback] = append(by[rollback], Image{Name: names[digest], Digest: digest})
	}
	var all []Quarantine
	for _, rb := range slices.Backward(h.rollbacks) {
		if images := by[rb.ID]; images != nil {
			all = append(all, Quarantine{Rollback: rb.ID, At: rb.At, Images: sortedImages(images)})
			delete(by, rb.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(by)) {
		all = append(all, Quarantine{Rollback: id, Images: sortedImages(by[id])})
	}
	return all
}

func sortedImages(images []Image) []Image {
	slices.SortFunc(images, func(a, b Image) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	return images
}

// Standing says how an app stands now.
func (r *Runner) Standing(ctx context.Context, app string) (Standing, error) {
	if _, err := r.App(app); err != nil {
		return Standing{}, err
	}
	history, err := r.History(ctx, app)
	if err != nil {
		return Standing{}, err
	}
	s := Standing{App: app, Choices: history.Choices(time.Now().UTC()), Apart: history.Apart(), Quarantines: history.Quarantines()}
	if err := r.standingRollbacks(ctx, history, &s); err != nil {
		return Standing{}, err
	}
	for i := range s.Quarantines[:min(len(s.Quarantines), StandingTickets)] {
		q := &s.Quarantines[i]
		rb, err := r.Status(ctx, q.Rollback)
		if err != nil {
			return Standing{}, err
		}
		q.Ticket, q.Record = rb.FollowUp.Ticket, rb.Posts[string(NoticeRecord)]
	}
	return s, nil
}

// standingRollbacks finds the open rollback and the last one that ended.
func (r *Runner) standingRollbacks(ctx context.Context, history History, s *Standing) error {
	for _, past := range slices.Backward(history.Rollbacks()) {
		if s.Open != nil && past.Outcome == "" {
			continue
		}
		rb, err := r.Status(ctx, past.ID)
		if err != nil {
			return err
		}
		if rb.State == StateEnded { // also one that has ended since the history was read
			s.Last = &rb
			return nil
		}
		s.Open = &rb
	}
	return nil
}
