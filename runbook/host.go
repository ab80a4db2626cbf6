package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hosts gives an app on each of its hosts. Any goroutine may call any method of the port.
type Hosts interface {
	// On asks nobody. The same app and host give the same AppHost, which may remember what it saw, to ask less the next
	// time.
	On(app App, host Host) AppHost
	// Commands are the lines that carry out a host's part of a plan, word for word: what its Services, Dependents and Launch
	// say. Pulls has one for each image of To, each once, in the services' order. It is pure: the same arguments give the
	// same lines.
	Commands(app App, plan HostPlan) Commands
}

// AppHost is one app on one host. Every method ends with its context. These errors may come from all of them:
//
//   - a *HostError: nothing was begun there; its MayPass says whether the host may be there again in a moment;
//   - one that wraps ErrLost: the link or the time ended first; what was begun may have happened, and nobody may call it
//     failed;
//   - one that wraps ErrNoEngine: the engine doesn't answer, so what runs is not known.
type AppHost interface {
	Looker
	Changer
	Locker
}

// Looker changes nothing. A drill looks as well.
type Looker interface {
	// Look sees what runs and what the pins say. project is the Project of an earlier View or of a plan; "" asks for it,
	// which takes five times as long, and fails where the app's files are broken.
	Look(ctx context.Context, project string) (View, error)
	// Preflight is Look with all that a plan needs and that doesn't depend on its target. A *PreflightError has all that is
	// wrong, each with its fix. again says that the plan exists and is about to be carried out: what Prove and Start find
	// out is left out.
	Preflight(ctx context.Context, again bool) (HostReport, error)
	// Pins are what the pins file has to say of exactly these images, in the services' order: a *PreflightError where it can't.
	Pins(ctx context.Context, images map[string]Image) ([]Pin, error)
	// Prove makes sure that exactly these images, by service, would run: a *PreflightError where they would not.
	Prove(ctx context.Context, images map[string]Image, from PinSource) error
	// Images says of each image whether it is on the host, in the order given; with ask also whether the host could get it
	// from its registry, as far as that tells. What it doesn't tell is a Note: only Fetch knows then.
	Images(ctx context.Context, images []Image, ask bool) ([]ImageState, error)
	// Logs are the last 50 lines, at most 8 KiB, masked, of two containers of each of the app's services.
	Logs(ctx context.Context, project string) ([]ServiceLogs, error)
}

// Changer changes the host. Where a method has a lease, the host compares its Rollback and Epoch in the remote line that
// acts: a *LeaseError where they are not the ones that stand there.
type Changer interface {
	// Fetch gets an image outside of the lock: nothing that runs is touched, and doing it again is harmless. It takes
	// minutes. An error that wraps ErrDenied says that the registry itself has no such image.
	Fetch(ctx context.Context, image Image) error
	// EditPins gives edit the pins as they stand in the file, and writes those that edit gives, if nobody changed the file
	// meanwhile. edit is called once at most, before anything is written: the intent is journalled there. Its error comes
	// back as it is. The rest of the file holds secrets, and stays with the AppHost. After a lost link it looks: nil and a
	// *LeaseError are certain.
	EditPins(ctx context.Context, lease Lease, file string, edit func(now []Pin) (change []Pin, err error)) error
	// Start begins a job under the lock; the job outlives the link and this process. One that was begun is not begun again:
	// after ErrLost, call again.
	Start(ctx context.Context, lease Lease, job Job) error
	// Follow says how a job stands: at once where it has ended or printed more than offset bytes, else within 5 s. end asks
	// the job to end now; how it ended is still to be followed. After ErrLost, call again with the same offset.
	Follow(ctx context.Context, lease Lease, job string, offset int64, end bool) (Progress, error)
}

// Locker is the app's lock on the host.
type Locker interface {
	// Lock says whose turn it is; a *LeaseError where that can't be read.
	Lock(ctx context.Context) (LockState, error)
	// Take takes or renews the lock, and waits so long for a command that still runs. first says that it was never held, so
	// that a lease which is missing was not removed by anybody. A *LockedError: it is somebody else's, or a command runs. A
	// *LeaseError: a newer epoch has it, it is gone, or it is damaged.
	Take(ctx context.Context, lease Lease, first bool, wait time.Duration) error
	// Release gives it back. force takes it from whoever has it, under lease.Epoch or above, and kills what runs under it.
	// What was killed and what could not be comes with an error too.
	Release(ctx context.Context, lease Lease, force bool) (Released, error)
}

// Host is where an app runs: "user@name" or "user@name:port", as configured.
type Host string

// View is what one host was seen to run.
type View struct {
	Host     Host
	At       time.Time // when the look began
	Project  string    // what the host calls the app
	Services []ServiceView
	Pins     []Pin // in the order of Services; nil: the file could not be read
	// Neighbours are the services beside the app's of which a container runs, by name.
	Neighbours []Neighbour
}

// ServiceView is what one of the app's services was seen to run; a View has them in the app's order.
type ServiceView struct {
	Running                       // the part that is journalled
	Images       []Image          // of its containers, each once; the zero Image: one without a digest
	Repositories []string         // the names by which its containers were started, each once
	ConfigHashes []string         // of the configurations with which its containers were made, each once
	Labels       map[Digest]Label // what the labels of Images say
	Made         time.Time        // when the newest of its containers was made
}

// Label is what an image's labels say, as they are: nobody has checked them.
type Label struct {
	Revision, Version string
}

// Mixed are the known images of a service's containers where those are not one, sorted; nil where they are one.
func (s ServiceView) Mixed() []Image {
	if len(s.Images) < 2 {
		return nil
	}
	known := slices.DeleteFunc(slices.Clone(s.Images), Image.IsZero)
	slices.SortFunc(known, func(a, b Image) int { return strings.Compare(a.String(), b.String()) })
	return known
}

// Running is the journalled part of what every service runs.
func (v View) Running() []Running {
	all := make([]Running, len(v.Services))
	for i, s := range v.Services {
		all[i] = s.Running
	}
	return all
}

// Set is what the host runs as a release's images; false where any of it is not known or not one image.
func (v View) Set() (map[string]Image, bool) {
	images := map[string]Image{}
	for _, s := range v.Services {
		if s.Image.IsZero() {
			return nil, false
		}
		images[s.Service] = s.Image
	}
	return images, true
}

// Runs reports whether every container of the app's services is made from the wanted image, and each service has one at
// least.
func (v View) Runs(want map[string]Image) bool {
	got, known := v.Set()
	if !known {
		return false
	}
	for service, image := range want {
		if got[service].Digest != image.Digest {
			return false
		}
	}
	return true
}

// Stopped reports whether a container of the app's services does not run, or a service has none.
func (v View) Stopped() bool {
	for _, s := range v.Services {
		if s.Containers == 0 || s.State != "" {
			return true
		}
	}
	return false
}

// HostReport is a View with what a plan needs besides.
type HostReport struct {
	View
	PinsFile  string        // absolute, links resolved: a plan signs it, EditPins writes it
	FreeBytes int64         // where images go; -1: not known
	DiskBytes int64         // of the whole disk there; 0: not known
	MakeRoom  string        // how a person frees some there: a sentence without a full stop
	ClockOff  time.Duration // by how much at least its clock differs from ours
	Stack     []ServiceReport
	Warnings  []string // what who signs should know, without the host's name
	// Launch is by which words the app's files are read there, where those are others than as configured: a plan keeps it.
	Launch     []string
	Dependents []Dependent
	Strangers  []Stranger // looked for in a first preflight alone
}

// ServiceReport is what the host would make of a service if it were started now, with the images that run; a HostReport
// has them in the app's order.
type ServiceReport struct {
	Scale      int    // how many containers the app's files want
	ConfigHash string // of the configuration with which it would be made
	Drifted    bool   // that is not the one with which its containers were made
}

// PinSource says from where a proof takes the pins.
type PinSource int

// FromPlan proves with the images of the question, whatever the pins file says; FromFile with the pins file as it stands.
const (
	FromPlan PinSource = iota
	FromFile
)

// RegistryAnswer is what a registry says of an image.
type RegistryAnswer int

// The answers. RegistrySilent: it was not asked, or what it said proves nothing. RegistryLacks: it denies the image, or a
// part of it that the host needs, while it shows others of the same repository. No other failure says that.
const (
	RegistrySilent RegistryAnswer = iota
	RegistryHas
	RegistryLacks
)

// ImageState is whether a host has an image, and whether it could get it.
type ImageState struct {
	Image    Image
	Here     bool
	Label    Label // where Here
	Registry RegistryAnswer
	Bytes    int64   // of disk that fetching it may take; 0: not known
	Guessed  bool    // Bytes is by other images of its repository, and rather too much
	Problem  Problem // why it can't be had, with the fix; zero: it is here, was not asked for, or may be had
	Note     string  // what is not known of getting it, and what helps, without a full stop; "": nothing
}

// Registry asks registries from the bot's own machine.
type Registry interface {
	// Find looks for all that a host of a platform, as "linux/amd64", would fetch of an image. Known are other images of its
	// repository, which the registry had. An error says that it can't be told, and why, in a clause for people.
	Find(ctx context.Context, image Image, platform string, known []Image) (Found, error)
}

// Found is what a registry has of an image.
type Found struct {
	Lacks  string  // what it denies, as a clause; "": it has all of it
	Layers []Layer // those of the host's platform, the lowest first
}

// Layer is a part of an image, as it is fetched.
type Layer struct {
	Content Digest // of what it unpacks to; "": not known
	Bytes   int64  // packed
}

// MissingOf are the images that aren't on the host.
func MissingOf(states []ImageState) (missing []Image) {
	for _, state := range states {
		if !state.Here {
			missing = append(missing, state.Image)
		}
	}
	return missing
}

// Commands are the lines of one host's part of a plan, as people see and sign them.
type Commands struct {
	Pulls []Command `json:"pulls"` // each is run only if the host lacks the image when it comes to it
	Prove Command   `json:"prove"` // shows what would run from the pins, with nothing exported
	Up    Command   `json:"up"`    // replaces the containers
	// Restart restarts those dependents that are restarted; zero: there are none.
	Restart Command `json:"restart,omitzero"`
}

// Job is a changing command that is begun under the lock.
type Job struct {
	Name    string        // "up-back-1-e7": step, direction, attempt, epoch
	Limit   time.Duration // the host ends it after that
	Command Command       // the plan's own: this is what runs
	// Fetch or Up says what the command means, for those who run no commands; Beside: together with Up they are replaced,
	// alone they are restarted.
	Fetch  Image
	Up     []ServicePlan
	Beside []Dependent
}

// Progress is how a job stands.
type Progress struct {
	Output []byte // up to 64 KiB of what it printed after the offset, not masked
	State  JobState
	Status int // where JobEnded: its exit status
}

// JobState is how a job stands.
type JobState string

// Only a job that ended has a status, and all that it printed was read by then. The others have left nothing that tells
// how they ended.
const (
	JobRunning   JobState = "running"
	JobEnded     JobState = "ended"
	JobRestarted JobState = "restarted" // it ended with its host
	JobKilled    JobState = "killed"
	JobGone      JobState = "gone" // its files were removed, and it may still run
)

// LockState is an app's lock on a host as it was seen.
type LockState struct {
	LockedError
	Epoch int64 // the highest that it was ever held under; 0: never
}

// Free reports whether nobody holds the lock and nothing runs under it.
func (l LockState) Free() bool { return l.Until.IsZero() && !l.CommandRuns }

// Released is what was done to what ran under the lock.
type Released struct {
	Ended []string // the commands that were killed, masked
	Left  []string // those that could not be, with their process, masked
}

// ErrLost says that a command was started and how it ended is not known. Never read it as failure.
var ErrLost = errors.New("the connection ended before the command's exit status arrived")

// ErrDenied says that a registry answered, and has no such image.
var ErrDenied = errors.New("the registry has no such image")

// ErrNoEngine says that the engine doesn't answer on a host, as while that boots: what runs there is not known.
var ErrNoEngine = errors.New("the container engine doesn't answer")

// HostError says that a host can't be used, and why, in one sentence with the fix. Nothing was started on it.
type HostError struct {
	Host Host
	// Unreachable is true when nothing answered (no route, refused, time-out), so that a plan may go on without
	// this host; false when something answered that must be fixed first (host key, refused key).
	Unreachable bool
	// HungUp is true when something answered and hung up before anybody was logged in: a host that is starting, stopping
	// or overloaded does that and lets us in a moment later; so does one that has banned us.
	HungUp  bool
	Problem string // what is wrong: one sentence without a full stop
	Remedy  string // what to do about it: one sentence without a full stop
	Err     error  // the cause, for the log
}

func (e *HostError) Error() string { return fmt.Sprintf("%s: %s: %s", e.Host, e.Problem, e.Remedy) }

// MayPass reports whether the host may be there again in a moment, without anybody fixing anything.
func (e *HostError) MayPass() bool { return e.Unreachable || e.HungUp }

// Unwrap gives the cause.
func (e *HostError) Unwrap() error { return e.Err }

// Running is what the containers of one service run on one host.
type Running struct {
	Service    string `json:"service"`
	Image      Image  `json:"image"`            // zero: not known, or not the same in all its containers
	Note       string `json:"note,omitempty"`   // why Image is zero
	Containers int    `json:"containers"`       // how many there are
	Restarts   int    `json:"restarts"`         // all its containers' restarts together
	Tag        string `json:"tag,omitempty"`    // what its containers were started by where that is no digest; empty: all were by digest
	State      string `json:"state,omitempty"`  // docker's word for a container that isn't running; empty: all run
	Health     string `json:"health,omitempty"` // docker's word for a HEALTHCHECK that isn't healthy; empty: all are, or have none
}
