//go:build faults

package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
)

// In the build for the hour of faults, SIGUSR1 has the process log how much it holds, after a garbage collection, and
// SIGUSR2 what its goroutines do. The product has neither.
func init() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			if s == syscall.SIGUSR2 {
				_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1) // for a person who looks into the log
				continue
			}
			runtime.GC()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			fmt.Fprintf(os.Stderr, `{"message":"growth","goroutines":%d,"heap":%d}`+"\n", runtime.NumGoroutine(), memory.HeapAlloc)
		}
	}()
}
