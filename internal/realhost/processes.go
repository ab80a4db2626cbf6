package realhost

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// descendants are the processes below one whose name begins with the prefix, found through processes of that name
// only: the commands that an sshd has started are none of them, and live on when a link drops.
func descendants(pid int, prefix string) []int {
	children := map[int][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed, the only error there is
	for _, file := range files {
		if child, parent, name, ok := readStat(file); ok && strings.HasPrefix(name, prefix) {
			children[parent] = append(children[parent], child)
		}
	}
	var found []int
	for queue := children[pid]; len(queue) > 0; {
		next := queue[0]
		found = append(found, next)
		queue = append(queue[1:], children[next]...)
	}
	return found
}

// readStat reads "pid (name) state parent …" of proc(5). The process may have ended meanwhile.
func readStat(file string) (pid, parent int, name string, ok bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, "", false
	}
	// A name may hold spaces and brackets, so it ends at the last one.
	open, end := strings.IndexByte(string(content), '('), strings.LastIndexByte(string(content), ')')
	if open < 1 || end < open {
		return 0, 0, "", false
	}
	fields := strings.Fields(string(content[end+1:]))
	if len(fields) < 2 {
		return 0, 0, "", false
	}
	pid, errPID := strconv.Atoi(strings.TrimSpace(string(content[:open])))
	parent, errParent := strconv.Atoi(fields[1])
	return pid, parent, string(content[open+1 : end]), errPID == nil && errParent == nil
}

// killAll ends processes without asking them. One that has ended already is what was wanted.
func killAll(pids []int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// readStatus reads the lines "Pid:", "Uid:" and "State:" of /proc/PID/status.
func readStatus(content string) (pid int, uid string, zombie bool) {
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "State:":
			zombie = fields[1] == "Z" || fields[1] == "X"
		case "Pid:":
			pid, _ = strconv.Atoi(fields[1]) // the kernel wrote it
		case "Uid:":
			uid = fields[1]
		}
	}
	return pid, uid, zombie
}
