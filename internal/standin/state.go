package standin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// State is all that a host has and does, and the faults that were ordered of it.
type State struct {
	// What runs, and what is there.
	Project    string
	Containers map[string][]Container // by service, also those of no service of the app
	Scale      map[string]int         // how many containers the app's files want of a service; without one: 1
	Edited     map[string]string      // by service: another configuration than that with which its containers were made
	Here       map[runbook.Image]bool // on the host
	Registry   map[runbook.Image]bool // what the registry has
	Sizes      map[runbook.Image]int64
	Prints     map[runbook.Image]string // what containers of an image print as they start
	Labels     map[runbook.Image]runbook.Label
	FreeBytes  int64
	DiskBytes  int64
	ClockOff   time.Duration
	Warnings   []string // of a preflight
	Launch     []string // how the app's files are read here; nil: as configured
	// Dependents are services beside the app's that can't stay as they are when one of the app's is replaced: whether one runs
	// its Containers say.
	Dependents []runbook.Dependent

	// The pins file.
	PinsFile string
	PinsLink string                   // another name of it, which is a link; "": none
	Pins     map[string]string        // by variable, as they stand there; nil: there is no such file
	Other    string                   // all else that it holds
	Forms    map[string]Form          // by service: how the app's files make its image
	Tags     map[string]runbook.Image // by repository:tag: what is called so on the host
	Exported map[string]string        // variables that are set for everybody, and win over the file

	// The lock.
	Lease *Lease // nil: there is none
	Boot  int    // how often the host was started

	// Faults.
	Latency      time.Duration     // of every call; a look at the app's files takes five times as long
	Down, HungUp bool              // nothing answers; or it hangs up
	DownUntil    time.Time         // and until then nothing answers, as while it reboots
	Refuses      string            // why it lets nobody in until somebody fixes that
	Hangs        bool              // what is begun never comes back
	HangsAt      map[string]bool   // the same for some methods, by name
	Lose         map[string]int    // by method: so many answers are lost, though what was asked for is done
	NoEngine     bool              // the engine doesn't answer
	EngineAt     time.Time         // and not until then, as while the host starts
	Problems     []runbook.Problem // what a preflight finds
	BrokenFiles  bool              // the app's files can't be read
	Unreadable   bool              // the pins file can't be read
	PinsFault    runbook.LeaseKind // why the pins file can't be written: PinsNotOurs, PinsCut or LeaseUnusable
	AfterPins    func(*State)      // what somebody does right after the pins were written
	Silent, Held bool              // the registry doesn't answer; or it answers, and no image comes until it isn't held any more
	Unasked      bool              // nobody can ask the registry, and images come from it all the same
	Sudo         bool              // what runs is another user's, and can't be ended
	Takes        time.Duration     // of every job
	Each         time.Duration     // an `up` replaces one service after the other, and each takes so long; 0: all at once
	UpBreaks     int               // the next `up`s end with status 1 after their first service
	UpFails      []int             // the statuses of the next `up`s, which change nothing
	RestartFails []int             // the same of the next restarts
	UpStatus     int               // of every `up` although it replaced containers; it leaves as many as the app's files want
	UpSlow       time.Duration     // the next `up` begins so late
	FetchFails   bool              // no image arrives
	FetchBreaks  int               // the next images don't
	Does         map[string]Does   // by job: what it does, whatever it means

	app runbook.App
}

// Container is one container.
type Container struct {
	Image      runbook.Image // zero: it was built on the host
	Tag        string        // by what it was started, where that was no digest
	Restarts   int
	State      string // why it doesn't run; "": it does
	Health     string // what is wrong by its own check; "": nothing
	ConfigHash string // of the configuration with which it was made; "": as before anybody edited the app's files
	OneOff     bool   // it was started to do one thing
	Made       time.Time
	Since      time.Time // when it was started last
	Cut        bool      // it shares something with a container that is gone
	Log        string    // what it printed
}

// Lease is what stands on the host of whose turn it is.
type Lease struct {
	Rollback              string
	Epoch                 int64
	Holder, Since, Reason string
	Until                 time.Time // zero: it was given back
	Boot                  int
	Damaged               bool // it can't be read
}

// Does is what a job does.
type Does struct {
	Takes  time.Duration
	Output []byte // which it prints at its start
	Status int
}

// DefaultLatency is what a question to an engine takes; DefaultTakes what a job takes.
const (
	DefaultLatency = 20 * time.Millisecond
	DefaultTakes   = 2 * time.Second
)

func newState(app runbook.App, running map[string]runbook.Image, here []map[string]runbook.Image) State {
	s := State{
		app: app, Project: app.Name, PinsFile: app.Dir + "/pins", Other: "SECRET=hunter2\n", FreeBytes: 10 << 30, DiskBytes: 20 << 30, Latency: DefaultLatency, Takes: DefaultTakes,
		Containers: map[string][]Container{}, Scale: map[string]int{}, Edited: map[string]string{}, Here: map[runbook.Image]bool{},
		Registry: map[runbook.Image]bool{}, Sizes: map[runbook.Image]int64{}, Prints: map[runbook.Image]string{}, Labels: map[runbook.Image]runbook.Label{},
		Forms: map[string]Form{}, Tags: map[string]runbook.Image{}, Exported: map[string]string{}, HangsAt: map[string]bool{}, Lose: map[string]int{}, Does: map[string]Does{},
	}
	for _, images := range here {
		for _, image := range images {
			s.Here[image], s.Registry[image] = true, true
		}
	}
	if running != nil {
		s.Deploy(running)
	}
	return s
}

// Deploy is a deployment by hand: of each service that has an image in images as many containers as there are, at least
// one, run it, and the pins say so.
func (s *State) Deploy(images map[string]runbook.Image) {
	if s.Pins == nil {
		s.Pins = map[string]string{}
	}
	for _, service := range s.app.Services {
		image, given := images[service.Name]
		if !given {
			continue
		}
		s.Here[image], s.Registry[image] = true, true
		s.Pins[service.Variable] = s.pin(service.Variable, images)
		s.Containers[service.Name] = s.replaced(service.Name, image, max(1, len(s.Containers[service.Name])))
	}
}

// replaced are new containers of a service.
func (s *State) replaced(service string, image runbook.Image, number int) []Container {
	now := time.Now()
	return slices.Repeat([]Container{{Image: image, ConfigHash: s.hash(service, image), Made: now, Since: now, Log: s.Prints[image]}}, number)
}

// hash is the configuration with which a container would be made now.
func (s *State) hash(service string, image runbook.Image) string {
	return hashOf(service, image, s.Edited[service])
}

func hashOf(service string, image runbook.Image, edited string) string {
	sum := sha256.Sum256([]byte(service + "\n" + image.String() + "\n" + edited))
	return hex.EncodeToString(sum[:])
}

// made is the configuration with which the container was made.
func (c Container) made(service string) string {
	return cmp.Or(c.ConfigHash, hashOf(service, c.Image, ""))
}

// scale is how many containers the app's files want.
func (s *State) scale(service string) int {
	if n, given := s.Scale[service]; given {
		return n
	}
	return 1
}

// pins are those of the app's variables as they stand, in the services' order.
func (s *State) pins() []runbook.Pin {
	pins := make([]runbook.Pin, len(s.app.Services))
	for i, service := range s.app.Services {
		value, there := s.Pins[service.Variable]
		pins[i] = runbook.Pin{Variable: service.Variable, Value: value, Absent: !there}
	}
	return pins
}

// value is what a service's variable says to whoever starts it now.
func (s *State) value(service runbook.Service) string {
	if value, given := s.Exported[service.Variable]; given {
		return value
	}
	return strings.Trim(s.Pins[service.Variable], `"'`)
}

// away is why the host can't be used; nil where it can.
func (s *State) away(host runbook.Host) *runbook.HostError {
	switch {
	case s.Refuses != "":
		return &runbook.HostError{Host: host, Problem: s.Refuses, Remedy: "fix that on the host"}
	case s.Down || time.Now().Before(s.DownUntil):
		return &runbook.HostError{Host: host, Unreachable: true, Problem: "it does not answer", Remedy: "wait, or start it"}
	case s.HungUp:
		return &runbook.HostError{Host: host, HungUp: true, Problem: "it hung up", Remedy: "wait, or see what it is busy with"}
	}
	return nil
}
