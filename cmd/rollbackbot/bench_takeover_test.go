package main_test

import (
	"syscall"
	"testing"
	"time"

	"rollbackbot/internal/parts"
)

// takeovers is how often each way is gone in one run.
const takeovers = 10

// BenchmarkTakeover times how long nobody acts: from the end of the process that owned the journal to the next one's
// first act. A replica stands by, or the process is started again.
func BenchmarkTakeover(b *testing.B) {
	slack := startSlack(b)
	postgresql := unreachable(b, slack)
	postgresql.env["ROLLBACK_DATABASE_URL"] = parts.StartPostgreSQL(b).Database(b)
	for _, way := range []struct {
		name     string
		program  *program
		standsBy bool
		end      func(*serving)
	}{
		{"killed/stands-by/postgresql", postgresql, true, (*serving).kill},
		{"stopped/stands-by/postgresql", postgresql, true, terminate},
		{"killed/restarted/postgresql", postgresql, false, (*serving).kill},
		{"killed/restarted/sqlite", unreachable(b, slack), false, (*serving).kill},
		{"killed/stands-by/sqlite", unreachable(b, slack), true, (*serving).kill},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				var took []time.Duration
				r := newReplicas(b, &world{program: way.program})
				r.add()
				owner := r.acts(nil)
				for range takeovers {
					if way.standsBy {
						r.standsBy(r.add())
					}
					r.strike(way.end)
					if !way.standsBy {
						<-owner.ended
						r.add()
					}
					owner = r.acts(owner)
				}
				r.stopAll()
				took = append(took, r.takeons...)
				b.ReportMetric(median(took).Seconds()*1000, "ms/median")
				b.ReportMetric(worst(took).Seconds()*1000, "ms/worst")
			}
		})
	}
}

// BenchmarkTakeover_StoodStill times it for an owner that stands still: its lease has to run out.
func BenchmarkTakeover_StoodStill(b *testing.B) {
	p := unreachable(b, startSlack(b))
	p.env["ROLLBACK_DATABASE_URL"] = parts.StartPostgreSQL(b).Database(b)
	for b.Loop() {
		r := newReplicas(b, &world{program: p})
		r.add()
		owner := r.acts(nil)
		for range 3 {
			r.standsBy(r.add())
			r.strike(func(s *serving) { _ = s.cmd.Process.Signal(syscall.SIGSTOP) })
			next := r.acts(owner)
			owner.kill()
			<-owner.ended
			owner = next
		}
		r.stopAll()
		b.ReportMetric(median(r.takeons).Seconds(), "s/median")
		b.ReportMetric(worst(r.takeons).Seconds(), "s/worst")
	}
}

func worst(all []time.Duration) (longest time.Duration) {
	for _, d := range all {
		longest = max(longest, d)
	}
	return longest
}

// terminate asks a process to stop, as an init system does.
func terminate(s *serving) { _ = s.cmd.Process.Signal(syscall.SIGTERM) }
