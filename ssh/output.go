package ssh

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"rollbackbot/runbook"
)

// ErrTooMuchOutput says that a command printed more than MaxOutputBytes on one stream and was not listened to further.
var ErrTooMuchOutput = fmt.Errorf("the command printed more than %d MiB", MaxOutputBytes>>20)

// output is what comes on one stream of a session: up to MaxOutputBytes of the command's, and as much before its mark,
// which the login shell printed.
type output struct {
	mark  []byte        // a line; empty: all is the command's
	begun chan struct{} // closed when the mark has come

	mu     sync.Mutex
	before bytes.Buffer
	data   bytes.Buffer
	full   bool // more came than is kept
}

func newOutput(m mark) *output {
	o := &output{begun: make(chan struct{})}
	if m == "" {
		close(o.begun)
		return o
	}
	o.mark = []byte(m + "\n")
	return o
}

// hasBegun reports whether the mark has come.
func (o *output) hasBegun() bool {
	select {
	case <-o.begun:
		return true
	default:
		return false
	}
}

// Write takes what came.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := p
	if !o.hasBegun() {
		var found bool
		if rest, found = o.find(p); !found {
			return o.keep(&o.before, p, len(p))
		}
		close(o.begun)
	}
	return o.keep(&o.data, rest, len(p))
}

// find looks for the mark where p continues what came before it, and gives what follows.
func (o *output) find(p []byte) (rest []byte, found bool) {
	tail := max(0, o.before.Len()-len(o.mark))
	joined := append(bytes.Clone(o.before.Bytes()[tail:]), p...)
	i := bytes.Index(joined, o.mark)
	if i < 0 {
		return nil, false
	}
	o.before.Truncate(min(o.before.Len(), tail+i))
	return joined[i+len(o.mark):], true
}

// keep adds to one of the two parts, within the bound; n is how much came.
func (o *output) keep(part *bytes.Buffer, p []byte, n int) (int, error) {
	if part.Len()+len(p) > MaxOutputBytes {
		o.full = true
		return 0, ErrTooMuchOutput
	}
	part.Write(p)
	return n, nil
}

// printed is what came before the mark, up to now.
func (o *output) printed() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.before.String()
}

// colours are the sequences by which programs colour what they print.
var colours = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")

// firstLine is the first line that isn't blank, masked and bounded; "" where there is none. The whole is masked before it
// is cut, as runbook.LastLines does.
func firstLine(printed string) string {
	for line := range strings.Lines(runbook.Mask(colours.ReplaceAllString(printed, ""))) {
		if text := runbook.OneLine(line); text != "" {
			return text
		}
	}
	return ""
}
