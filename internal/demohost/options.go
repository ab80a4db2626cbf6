package demohost

import (
	"cmp"
	"time"
)

// Defaults of Options: long enough for a person to follow what happens.
const (
	DefaultStart = 500 * time.Millisecond
	DefaultPull  = time.Second
)

// Options say how fast a host works.
type Options struct {
	// Start is how long a container takes to start; its program listens half as long after that.
	// Zero means DefaultStart, less than zero as fast as it goes.
	Start time.Duration
	// Pull is how long fetching an image takes. Zero means DefaultPull, less than zero as fast as it goes.
	Pull time.Duration
	// Program is the program that plays docker and the containers: one that calls RunStandIn. "" is the running one.
	Program string
	// Keys is the folder of the client key and of known_hosts, for hosts that share them; "" is one of the host's own.
	Keys string
}

func (o Options) pace() pace {
	return pace{Start: max(0, cmp.Or(o.Start, DefaultStart)), Pull: max(0, cmp.Or(o.Pull, DefaultPull))}
}

// pace is Options with its defaults, as the host's processes read it.
type pace struct {
	Start time.Duration `json:"start"` // in ns
	Pull  time.Duration `json:"pull"`  // in ns
}
