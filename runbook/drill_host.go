package runbook

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// guard stands in for the lock on the host and for what is changed under it.
func (t *drillTarget) guard(ctx context.Context, cmd Command) (Result, error) {
	verb, args := cmd.Args[4], cmd.Args[5:]
	switch verb {
	case "show":
		return t.real.Run(ctx, cmd)
	case "take":
		return t.take(ctx, args[0])
	case "pin":
		t.say("write " + args[3] + " anew, with " + t.pinsIn(cmd.Stdin))
		t.mu.Lock()
		defer t.mu.Unlock()
		t.file, t.env = args[3], bytes.Clone(cmd.Stdin)
		return Result{}, nil
	case "act":
		return t.change(ctx, Command{Args: args[7:], Dir: args[6]})
	case "follow":
		return Result{Stderr: []byte("state=0\n")}, nil
	case "release", "stop":
		return Result{}, nil
	}
	return Result{}, &HostError{Host: t.host, Problem: "a drill has no stand-in for the guard's " + verb, Remedy: "report it as a defect of the bot"}
}

// take refuses where a rollback tonight would be refused, since somebody else holds the lock.
func (t *drillTarget) take(ctx context.Context, app string) (Result, error) {
	held, err := t.real.Run(ctx, showLease(app))
	if err != nil || held.Status != 0 {
		if held.Status == guardGone {
			held = Result{}
		}
		return held, err
	}
	locked := lookedLock{LockedError: *lockedError(t.host, parseLease(held.Stdout))}
	switch {
	case locked.CommandRuns:
		held.Status = guardBusy
	case !locked.free():
		held.Status = guardHeld
	}
	return held, nil
}

func (t *drillTarget) say(command string) {
	if t.print != nil {
		t.print(t.host, command)
	}
}

// pinsIn are the planned variables' lines of a file, and no others: the rest may be secret.
func (t *drillTarget) pinsIn(content []byte) string {
	var lines []string
	for _, pin := range ReadPins(content, t.app) {
		lines = append(lines, pin.Variable+"="+pin.Value)
	}
	return strings.Join(lines, " ")
}

// change prints a command and takes it as done.
func (t *drillTarget) change(ctx context.Context, cmd Command) (Result, error) {
	t.say(cmd.String())
	switch words := cmd.Args; {
	case startsWith(words, t.app.docker("pull").Args):
		t.mu.Lock()
		defer t.mu.Unlock()
		t.pulled[words[len(words)-1]] = true
	case startsWith(words, t.app.compose("up").Args):
		return Result{}, t.bringUp(ctx, words)
	}
	return Result{}, nil
}

// bringUp takes the containers of the services that are named as replaced by those of the pins.
func (t *drillTarget) bringUp(ctx context.Context, words []string) error {
	t.mu.Lock()
	pins := ReadPins(t.env, t.app)
	t.mu.Unlock()
	for i, service := range t.app.Services {
		if i >= len(pins) || !slices.Contains(words, service.Name) {
			continue
		}
		ref := plainValue(pins[i])
		id, err := t.imageID(ctx, ref)
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.up[service.Name] = drillImage{ref: ref, id: id}
		t.mu.Unlock()
	}
	return nil
}

// imageID is the ID of an image on the host; one that is not there has the digest's digits for one.
func (t *drillTarget) imageID(ctx context.Context, ref string) (string, error) {
	result, err := t.real.Run(ctx, inspectImages(t.app, []string{ref}))
	if err != nil {
		return "", err
	}
	views, err := parseLines[imageView](result.Stdout)
	if err != nil {
		return "", err
	}
	for _, view := range views {
		if slices.Contains(view.Digests, ref) {
			return view.ID, nil
		}
	}
	return standInID(ref), nil
}

func standInID(ref string) string { return "drill:" + ref[strings.LastIndexByte(ref, ':')+1:] }

// pinned has compose read the pins that were "written", unless the command gives others.
func (t *drillTarget) pinned(cmd Command) Command {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == "" {
		return cmd
	}
	cmd.Env = slices.Clone(cmd.Env)
	for _, pin := range ReadPins(t.env, t.app) {
		given := slices.ContainsFunc(cmd.Env, func(pair string) bool { return strings.HasPrefix(pair, pin.Variable+"=") })
		if value, plain := pin.Plain(); !given && !pin.Absent && plain {
			cmd.Env = append(cmd.Env, pin.Variable+"="+value)
		}
	}
	return cmd
}

// read gives the file of the pins as it was "written".
func (t *drillTarget) read(ctx context.Context, cmd Command) (Result, error) {
	t.mu.Lock()
	file, content := t.file, bytes.Clone(t.env)
	t.mu.Unlock()
	if file != "" && slices.Equal(cmd.Args, readFile(t.app, file).Args) {
		return Result{Stdout: content}, nil
	}
	return t.real.Run(ctx, cmd)
}

// images adds what was "fetched" to what the host has.
func (t *drillTarget) images(ctx context.Context, cmd Command) (Result, error) {
	head := len(inspectImages(t.app, nil).Args)
	var added []imageView
	asked := Command{Args: slices.Clone(cmd.Args[:head]), Dir: cmd.Dir, Timeout: cmd.Timeout}
	t.mu.Lock()
	for _, ref := range cmd.Args[head:] {
		if view, ok := t.standIn(ref); ok {
			added = append(added, view)
			continue
		}
		asked.Args = append(asked.Args, ref)
	}
	t.mu.Unlock()
	var result Result
	if len(asked.Args) > head {
		var err error
		if result, err = t.real.Run(ctx, asked); err != nil {
			return Result{}, err
		}
	}
	for _, view := range added {
		line, _ := json.Marshal(view) // texts always encode
		result.Stdout = append(append(bytes.TrimRight(result.Stdout, "\n"), '\n'), append(line, '\n')...)
	}
	return result, nil
}

// standIn is an image that only the stand-in has: by its reference once it was "fetched", or by its ID.
func (t *drillTarget) standIn(asked string) (imageView, bool) {
	for ref := range t.pulled {
		if asked == ref || asked == standInID(ref) {
			return imageView{ID: standInID(ref), Digests: []string{ref}}, true
		}
	}
	return imageView{}, false
}

// containers gives the containers of services that were "replaced" their new images.
func (t *drillTarget) containers(ctx context.Context, cmd Command) (Result, error) {
	result, err := t.real.Run(ctx, cmd)
	t.mu.Lock()
	up := maps.Clone(t.up)
	t.mu.Unlock()
	if err != nil || len(up) == 0 {
		return result, err
	}
	all, err := parseLines[container](result.Stdout)
	if err != nil {
		return result, nil // whoever asked says what is wrong with it
	}
	var out bytes.Buffer
	for _, c := range all {
		if image, replaced := up[c.Service]; replaced && !strings.EqualFold(c.OneOff, "true") {
			c.Ref, c.ImageID = image.ref, image.id
		}
		line, _ := json.Marshal(c) // texts and a number always encode
		out.Write(append(line, '\n'))
	}
	result.Stdout = out.Bytes()
	return result, nil
}
