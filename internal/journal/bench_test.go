package journal

import (
	"strconv"
	"sync/atomic"
	"testing"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// onEach runs the benchmark on each kind of database as people run it: every commit is on disk before it is reported.
func onEach(b *testing.B, benchmark func(b *testing.B, s *Store)) {
	b.Run("SQLite", func(b *testing.B) { benchmark(b, open(b, sqliteURL(b))) })
	b.Run("PostgreSQL", func(b *testing.B) { benchmark(b, open(b, parts.StartPostgreSQL(b).Database(b))) })
}

// One entry after the other, as the owner of a rollback writes them.
func BenchmarkAppend(b *testing.B) {
	onEach(b, func(b *testing.B, s *Store) {
		entry := runbook.Entry{App: "shop", At: at, Facts: facts(runbook.StepStarted{Step: runbook.StepPin, Attempt: 1})}
		for b.Loop() {
			if _, err := s.Append(b.Context(), entry); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Deliveries that come at the same time, each stored before its acknowledgement.
func BenchmarkPut(b *testing.B) {
	onEach(b, func(b *testing.B, s *Store) {
		var number atomic.Int64
		b.ResetTimer()       // the server's start is no part of it
		b.SetParallelism(32) // times GOMAXPROCS: 64 in flight on two cores
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				key := strconv.FormatInt(number.Add(1), 10)
				if fresh, err := s.Put(b.Context(), runbook.Delivery{Key: key, Kind: "command", Body: []byte("text=shop"), At: at}); err != nil || !fresh {
					b.Error(fresh, err)
				}
			}
		})
	})
}
