package history

import "time"

const (
	// describeRetry is how long what was missing is left alone; describeFor is how long after a release went live it is
	// asked for again: a pipeline's run is over a while after what it deployed came up.
	describeRetry, describeFor = time.Hour, 24 * time.Hour
	// describedLately is how many of the releases that went live last are described.
	describedLately = 10
)
