package hosttest

import (
	"context"
	"errors"
	"time"

	"rollbackbot/runbook"
)

// Bench is one app on one host, as the suite tries an implementation on it. At first the app has one container of each of
// its services, at least two of them, which run the release Current; its pins say the same; and its lock was never held.
// Each case gets a bench of its own, and calls its methods from one goroutine, also while EditPins waits for its edit. The
// context of a method bounds it.
type Bench interface {
	// Hosts is what is tried. It gives the same value each time.
	Hosts() runbook.Hosts
	App() runbook.App
	Host() runbook.Host
	// Release is a release by image for each service, all of them different, and what their labels say.
	Release(which Which) Release
	// Job is a job that the host can run, and that does nothing but what it is told; its Limit is long. Names are of lower-case
	// letters, digits and hyphens.
	Job(name string, does Doing) runbook.Job
	// Ran is how often the job of that name was begun.
	Ran(ctx context.Context, job string) (int, error)
	// Rest is what the pins file holds besides the lines of the app's variables, byte for byte, with its owner and its mode.
	Rest(ctx context.Context) (string, error)
	// Do is what somebody else does on the host. When it returns, it is done. An error that wraps ErrCannot says that this
	// bench can't do that.
	Do(ctx context.Context, deed Deed) error
}

// ErrCannot says that a bench can't do a Deed.
var ErrCannot = errors.New("this bench can't do that")

// Which says of which release a case speaks.
type Which string

// The releases.
const (
	Current Which = "current" // runs at first; on the host and in the registry
	Former  Which = "former"  // on the host and in the registry
	Remote  Which = "remote"  // in the registry, and not on the host
	Nowhere Which = "nowhere" // in neither
)

// Release is a release by service.
type Release struct {
	Images map[string]runbook.Image
	Labels map[string]runbook.Label // of Current and Former
}

// Doing is what a job of a bench does.
type Doing struct {
	Prints int           // at its start it prints Output(Prints), and nothing later
	Takes  time.Duration // then it waits so long
	Status int           // and ends with this status
}

// Output is what a job prints that prints so many bytes: lines of one letter, another one in each.
func Output(bytes int) []byte {
	out := make([]byte, bytes)
	for i := range out {
		if out[i] = 'a' + byte(i/lineLength%26); i%lineLength == lineLength-1 {
			out[i] = '\n'
		}
	}
	return out
}

const lineLength = 64

// Deed is one thing that somebody else does on the host, or that happens to it.
type Deed interface{ deed() }

// What happens to containers.
type (
	// Deploy is a deployment by hand of a release: one container of each service runs it, and the pins say so.
	Deploy struct{ Release Which }
	// Scale starts or ends containers, until a service has so many. The app's files want one still.
	Scale struct {
		Service string
		To      int
	}
	// Mix has one more container of a service, which runs another release, as in the middle of a deployment.
	Mix struct {
		Service string
		Release Which
	}
	// Tagged replaces a service's container by one that was started by a tag of the image that ran.
	Tagged struct{ Service string }
	// Stop stops all containers of a service, and leaves them there.
	Stop struct{ Service string }
	// Crash ends a service's container, which the engine starts again.
	Crash struct{ Service string }
	// Remove removes all containers of a service.
	Remove struct{ Service string }
	// OneOff has one more container of a service, which was started to do one thing, and runs another release.
	OneOff struct {
		Service string
		Release Which
	}
	// Stray has a container of a service that the app's files have and the app's configuration doesn't.
	Stray struct{}
	// Depend has a container of each of two services that the app's files have and the app's configuration doesn't: one shares
	// the network of the app's first service, and the other depends on that so that it is restarted with it.
	Depend struct{}
	// Print has the containers of a service print a text, as the end of their logs.
	Print struct{ Service, Text string }
)

// What happens to the app's files.
type (
	// WritePins changes some of the pins by hand, as EditPins takes them.
	WritePins struct{ Pins []runbook.Pin }
	// RemovePins removes the pins file.
	RemovePins struct{}
	// LinkPins makes the pins file a link to another file that holds the same.
	LinkPins struct{}
	// LockPins makes the pins file one that can't be replaced as it is.
	LockPins struct{}
	// Write has the app's files make the images in another way, and App say so; then Current is deployed by hand, as people
	// do who write it like that.
	Write struct{ As Writing }
	// Retag has the tag by which Former is deployed under ByOneTag name the images of Current on the host.
	Retag struct{}
	// Export sets a service's variable to an image of a release wherever the app is started, which wins over the pins file.
	Export struct {
		Service string
		Release Which
	}
	// Edit changes the configuration of a service in the app's files.
	Edit struct{ Service string }
	// BreakFiles makes the app's files unreadable for whoever starts it.
	BreakFiles struct{}
)

// Writing is how the app's files make an image.
type Writing string

// The ways. At first a variable holds the whole image.
const (
	ByDigest Writing = "by digest"  // the files have the repository, a variable of each service the digest
	ByTag    Writing = "by tag"     // the files have the repository, a variable of each service a tag
	ByOneTag Writing = "by one tag" // the files have the repositories, one variable the tag of them all
	Fixed    Writing = "fixed"      // the files have the whole image of the first service
)

// What happens to jobs and to the lock.
type (
	// KillJob kills what runs under the lock, with everything that would tell how it ended.
	KillJob struct{}
	// ForgetJob removes what the host keeps of a job, as that of the case's own rollback.
	ForgetJob struct{ Rollback, Job string }
	// Untouchable makes jobs that begin from now on ones that the bot's user may not end.
	Untouchable struct{}
	// TakeByHand takes the app's lock for somebody who works there.
	TakeByHand struct {
		Holder, Reason string
		For            time.Duration
	}
	// RemoveLease removes what says who holds the lock.
	RemoveLease struct{}
	// DamageLease makes that unreadable.
	DamageLease struct{}
)

// What happens to the host.
type (
	// Cut has the link end in the next call of a method, after that has changed what it changes and before its answer comes.
	// Away: and the host can't be reached for a while then.
	Cut struct {
		Method string
		Away   bool
	}
	// Unreachable has nothing answer any more.
	Unreachable struct{}
	// Hang has nothing come back that is begun from now on.
	Hang struct{}
	// Reboot restarts the host; it is back with its engine when this returns.
	Reboot struct{}
	// StopEngine ends the engine.
	StopEngine struct{}
	// Silence has the registry give no answer any more.
	Silence struct{}
)

func (Deploy) deed()      {}
func (Scale) deed()       {}
func (Mix) deed()         {}
func (Tagged) deed()      {}
func (Stop) deed()        {}
func (Crash) deed()       {}
func (Remove) deed()      {}
func (OneOff) deed()      {}
func (Stray) deed()       {}
func (Depend) deed()      {}
func (Print) deed()       {}
func (WritePins) deed()   {}
func (RemovePins) deed()  {}
func (LinkPins) deed()    {}
func (LockPins) deed()    {}
func (Write) deed()       {}
func (Retag) deed()       {}
func (Export) deed()      {}
func (Edit) deed()        {}
func (BreakFiles) deed()  {}
func (KillJob) deed()     {}
func (ForgetJob) deed()   {}
func (Untouchable) deed() {}
func (TakeByHand) deed()  {}
func (RemoveLease) deed() {}
func (DamageLease) deed() {}
func (Cut) deed()         {}
func (Unreachable) deed() {}
func (Hang) deed()        {}
func (Reboot) deed()      {}
func (StopEngine) deed()  {}
func (Silence) deed()     {}
