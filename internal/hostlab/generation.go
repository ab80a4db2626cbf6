package hostlab

// Generation is a kind of host, by the name of its Debian suite.
type Generation string

// The generations; [Host.Root] says the versions of a host's engine and Compose.
const (
	Bookworm Generation = "bookworm" // Debian 12: engine 20.10, with the Compose that `make parts` builds
	Trixie   Generation = "trixie"   // Debian 13: engine 26.1, Compose 2.26
	Sid      Generation = "sid"      // engine 28.5, Compose 2.40, containerd's image store
)
