package main_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// idleTime is how long an idle bot is watched: each app is looked at once meanwhile, by the default interval.
	idleTime = time.Minute
	// idleSettling is left to the bot after its start, in which it looks at every app for the first time.
	idleSettling = 5 * time.Second
	// starts is how often a start is timed.
	starts = 5
)

// BenchmarkIdle measures what the bot costs while nobody wants anything of it, with two apps on a host in process: CPU
// and resident memory of its process on both stores, at the same time; and how long it takes from its start until it
// listens, which is when Slack has said hello on its first socket.
func BenchmarkIdle(b *testing.B) {
	host := idleHost(b)
	for b.Loop() {
		var watched []func()
		for name, database := range stores(b) {
			w := newIdleWorld(b, host, database)
			var times []time.Duration
			for range starts {
				began := time.Now()
				bot := w.serve(b, nil)
				w.connected(b)
				times = append(times, time.Since(began))
				bot.stop(b)
			}
			b.ReportMetric(milliseconds(median(times)), "ms/start-to-listening/"+name)
			bot := w.serve(b, nil)
			w.connected(b)
			time.Sleep(idleSettling)
			began, before := time.Now(), processorTime(b, bot.cmd.Process.Pid)
			watched = append(watched, func() {
				used, passed := processorTime(b, bot.cmd.Process.Pid)-before, time.Since(began)
				b.ReportMetric(milliseconds(used)/passed.Seconds(), "ms-cpu-per-s/"+name)
				b.ReportMetric(residentMiB(b, bot.cmd.Process.Pid), "MiB-resident/"+name)
				bot.stop(b)
			})
		}
		time.Sleep(idleTime)
		for _, report := range watched {
			report()
		}
	}
}

// processorTime is what a process has used so far: utime and stime of proc_pid_stat(5), in ticks of 10 ms.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), ") ") // after the program's name, which may hold anything
	fields := strings.Fields(rest)
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// residentMiB is VmRSS of proc_pid_status(5).
func residentMiB(b *testing.B, pid int) float64 {
	b.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kilobytes) / 1024
}
