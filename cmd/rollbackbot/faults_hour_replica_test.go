package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// replica is one process of serve after the other, as an init system keeps it running.
type replica struct {
	*hour
	number int
	elder  bool // it is never ended, and must not grow

	mu      sync.Mutex
	process *os.Process // nil while none runs
	born    time.Time
	told    string // how it was told to end; "" while nobody has
	stopped bool   // by SIGSTOP
	partial []byte // a line of the log that has not ended yet
	last    string // the last line of the log
	owned   int    // how often it took the apps over
	gaveUp  int    // how often it ended by itself
	lives   []life
}

// life is what one process held over time.
type life struct{ samples []measurement }

type measurement struct {
	at         time.Time
	rss        int64 // in KiB
	heap       int64 // in bytes, after a collection
	goroutines int64
}

// restartDelay is what an init system waits before it starts a process again.
const restartDelay = 500 * time.Millisecond

// justBorn is how long a process may take to heed signals.
const justBorn = 2 * time.Second

// keep starts the process again and again until the end, and then ends it.
func (r *replica) keep() {
	log, err := os.Create(filepath.Join(r.folder, fmt.Sprintf("replica-%d.log", r.number)))
	if err != nil {
		r.violation("%v", err)
		return
	}
	defer log.Close()
	for first := true; first || r.wait(restartDelay); first = false {
		r.liveOnce(log)
	}
}

func (r *replica) liveOnce(log *os.File) {
	p := r.program()
	if r.racing != "" && r.number == r.hourOptions.replicas-1 {
		p.binary = r.racing
	}
	cmd := p.command(context.Background(), "serve")
	sink := &logSink{replica: r, file: log}
	cmd.Stdout, cmd.Stderr = sink, sink
	if err := cmd.Start(); err != nil {
		r.violation("replica %d: %v", r.number, err)
		return
	}
	r.mu.Lock()
	r.process, r.born, r.told, r.stopped, r.partial = cmd.Process, time.Now(), "", false, nil
	r.lives = append(r.lives, life{})
	r.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its ProcessState
	}()
	select {
	case <-ended:
	case <-r.ending:
		r.signal(syscall.SIGTERM, "term")
		select {
		case <-ended:
		case <-time.After(stopTimeout):
			r.violation("replica %d has not ended %s after SIGTERM", r.number, stopTimeout)
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	r.over(cmd.ProcessState)
}

// over judges how a process ended.
func (r *replica) over(state *os.ProcessState) {
	r.mu.Lock()
	told, last, young := r.told, r.last, time.Since(r.born) < justBorn
	r.process = nil
	if told == "" {
		r.gaveUp++
	}
	r.mu.Unlock()
	status := state.ExitCode()
	r.note("replica %d ended, told %q: %s", r.number, told, state)
	switch {
	case told == "kill":
	case told == "term" && status == -1 && young: // it had not come to the line that takes signals
	case told == "term" && status != 0:
		r.violation("replica %d ended with %s after SIGTERM; its last line: %s", r.number, state, last)
	case told == "" && status != 1:
		r.violation("replica %d ended by itself with %s; its last line: %s", r.number, state, last)
	case told == "":
		r.note("replica %d gave up: %s", r.number, last)
	}
}

// signal sends a signal, and notes that it was told to end where told says so. It reports whether there is a process.
func (r *replica) signal(s syscall.Signal, told string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return false
	}
	if told != "" {
		r.told = told
	}
	switch s {
	case syscall.SIGSTOP:
		r.stopped = true
	case syscall.SIGCONT:
		r.stopped = false
	}
	return r.process.Signal(s) == nil
}

// logSink takes a process's log.
type logSink struct {
	*replica
	file *os.File
}

func (s *logSink) Write(p []byte) (int, error) {
	_, _ = s.file.Write(p) // the log is for people; what counts is read below
	s.mu.Lock()
	s.partial = append(s.partial, p...)
	var lines [][]byte
	for {
		end := bytes.IndexByte(s.partial, '\n')
		if end < 0 {
			break
		}
		lines = append(lines, slices.Clone(s.partial[:end]))
		s.partial = s.partial[end+1:]
	}
	s.partial = slices.Clone(s.partial)
	s.mu.Unlock()
	for _, line := range lines {
		s.hear(line)
	}
	return len(p), nil
}

func (r *replica) hear(text []byte) {
	var line struct {
		Message          string
		Goroutines, Heap int64
	}
	_ = json.Unmarshal(text, &line) // what is no JSON has no message
	switch {
	case line.Message == "growth":
		r.measured(line.Goroutines, line.Heap)
		return
	case bytes.Contains(text, []byte("panic")), bytes.Contains(text, []byte("DATA RACE")), bytes.Contains(text, []byte("fatal error")):
		r.violation("replica %d says: %s", r.number, text)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(text) > 0 {
		r.last = string(text)
	}
	if line.Message == "started" {
		r.owned++
	}
}

// sample measures every process until the end.
func (h *hour) sample() {
	for h.wait(sampleInterval) {
		for _, r := range h.replicas {
			r.mu.Lock()
			if r.process != nil && !r.stopped && time.Since(r.born) > sampleInterval/2 {
				_ = r.process.Signal(syscall.SIGUSR1) // it may have ended meanwhile
			}
			r.mu.Unlock()
		}
	}
}

const sampleInterval = 10 * time.Second

// measured takes what a process says of itself.
func (r *replica) measured(goroutines, heap int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil || len(r.lives) == 0 {
		return
	}
	now := measurement{at: time.Now(), rss: rssOf(r.process.Pid), heap: heap, goroutines: goroutines}
	l := &r.lives[len(r.lives)-1]
	l.samples = append(l.samples, now)
}

// rssOf is a process's resident memory in KiB; 0 where it is gone.
func rssOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64) // the kernel's own
			return kib
		}
	}
	return 0
}

// What a process may hold more in the last quarter of its life than in the second, after its warm-up, by the medians:
// a part of it, and a fixed amount for what is under way at the moment.
const (
	allowedPart       = 0.20
	allowedRSS        = 16 << 10 // KiB
	allowedHeap       = 4 << 20  // bytes
	allowedGoroutines = 10
	leastSamples      = 24 // of a life that is judged: four minutes
)

// growth compares the second quarter of the longest life with its last one.
func (r *replica) growth() (text string, grown bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var longest life
	for _, l := range r.lives {
		if len(l.samples) > len(longest.samples) {
			longest = l
		}
	}
	n := len(longest.samples)
	if n < 4 {
		return "no life was long enough to be measured", false
	}
	second, last := longest.samples[n/4:n/2], longest.samples[n-n/4:]
	parts := []string{fmt.Sprintf("longest life %s, medians of its second and its last quarter:", longest.samples[n-1].at.Sub(longest.samples[0].at).Round(time.Second))}
	for _, q := range []struct {
		name  string
		of    func(measurement) int64
		unit  int64
		extra int64
	}{
		{"MiB RSS", func(s measurement) int64 { return s.rss }, 1 << 10, allowedRSS},
		{"MiB heap", func(s measurement) int64 { return s.heap }, 1 << 20, allowedHeap},
		{"goroutines", func(s measurement) int64 { return s.goroutines }, 1, allowedGoroutines},
	} {
		before, after := medianOf(second, q.of), medianOf(last, q.of)
		parts = append(parts, fmt.Sprintf("%.1f and %.1f %s", float64(before)/float64(q.unit), float64(after)/float64(q.unit), q.name))
		grown = grown || float64(after) > float64(before)*(1+allowedPart)+float64(q.extra)
	}
	return strings.Join(parts, " "), grown && n >= leastSamples
}

func medianOf(samples []measurement, of func(measurement) int64) int64 {
	var all []int64
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (r *replica) summary() string {
	text, _ := r.growth()
	r.mu.Lock()
	defer r.mu.Unlock()
	name := ""
	if r.elder {
		name = ", never ended"
	}
	return fmt.Sprintf("replica %d%s: %d lives, took over %d times, gave up %d times; %s", r.number, name, len(r.lives), r.owned, r.gaveUp, text)
}
