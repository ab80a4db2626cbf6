package hostlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"rollbackbot/internal/parts"
)

// The network of the hosts: one bridge, whose address the registries have, and an address for each place.
const (
	bridge        = "rbhosts"
	bridgeAddress = "10.204.0.1"
	firstPlace    = 2
	lastPlace     = 250
)

// place is where one host can be: a number, from which its address and names follow, and a folder. Who has the lock on
// the folder's file has the place; the kernel gives it back, however a process ends.
type place struct {
	number int
	folder string
	lock   *os.File
}

func (p place) address() string { return fmt.Sprintf("10.204.0.%d", p.number) }

// group is the control group that the host's containers are below.
func (p place) group() string { return fmt.Sprintf("/rbhost-%d", p.number) }

// end is the name of this machine's end of the host's cable.
func end(number int) string { return fmt.Sprintf("rbhost%d", number) }

// takePlace takes the first place that is free, after it has removed what dead processes left at theirs.
func takePlace() (place, error) {
	cache, err := parts.HostsFolder()
	if err != nil {
		return place{}, err
	}
	taken := place{}
	for number := firstPlace; number <= lastPlace; number++ {
		folder := filepath.Join(cache, "run", strconv.Itoa(number))
		if taken.lock != nil { // only what is there already may have to be removed
			if _, err := os.Stat(folder + ".lock"); err != nil {
				continue
			}
		}
		lock, err := tryLock(folder + ".lock")
		if err != nil {
			return place{}, err
		}
		if lock == nil {
			continue
		}
		p := place{number, folder, lock}
		if err := p.clear(); err != nil {
			return place{}, err
		}
		if taken.lock == nil {
			taken = p
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return place{}, err
			}
			continue
		}
		if err := p.leave(); err != nil {
			return place{}, err
		}
	}
	if taken.lock == nil {
		return place{}, errors.New("all places for hosts are taken")
	}
	return taken, nil
}

// tryLock takes the lock on a file; nil where somebody has it.
func tryLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close() // the lock's error says more
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, err
}

// clear removes what the place's host has left: all its processes are gone, and so are its mounts.
func (p place) clear() error {
	_ = exec.Command("ip", "link", "delete", end(p.number)).Run() // where it is gone with its other end, that is what was wanted
	if err := removeAll(p.folder); err != nil {
		return err
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*" + p.group())
	if err != nil {
		return err
	}
	for _, group := range append(groups, "/sys/fs/cgroup"+p.group()) {
		// The kernel's own files in it are no obstacle to rmdir. One whose last process is still being buried stays for the
		// place's next host, which uses it.
		_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
	}
	return nil
}

// removeAll removes a folder in which nothing may be mounted any more: rm would go through a mount and empty what is
// behind it.
func removeAll(folder string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if strings.Contains(string(mounts), " "+folder+"/") {
		return fmt.Errorf("something is mounted below %s", folder)
	}
	return os.RemoveAll(folder)
}

// leave clears the place and gives it back.
func (p place) leave() error {
	return errors.Join(p.clear(), p.lock.Close())
}

// connect lays the cable between the bridge and the network of a process.
func connect(number, pid int) error {
	return commands(
		[]string{"ip", "link", "add", end(number), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)},
		[]string{"ip", "link", "set", end(number), "master", bridge, "up"},
	)
}

// raiseBridge makes the bridge, unless it is there.
func raiseBridge() error {
	if _, err := os.Stat("/sys/class/net/" + bridge); err == nil {
		return nil
	}
	return commands(
		[]string{"ip", "link", "add", bridge, "type", "bridge"},
		[]string{"ip", "addr", "add", bridgeAddress + "/16", "dev", bridge},
		[]string{"ip", "link", "set", bridge, "up"},
	)
}

func commands(all ...[]string) error {
	for _, words := range all {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
		}
	}
	return nil
}
