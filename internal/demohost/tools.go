package demohost

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// tools are the programs that a rollback's lines call on a host, beside docker. All but flock (util-linux) and awk are
// in coreutils, and busybox has every one.
var tools = []string{
	"awk", "cat", "cp", "df", "dirname", "env", "flock", "head", "mkdir", "mv", "readlink", "rm", "sh", "sha256sum", "sleep",
	"stat", "tail", "timeout", "wc",
}

// checkMachine says what this machine lacks to be a host.
func checkMachine() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the demo's host needs Linux, since a rollback's lines read /proc; this is %s", runtime.GOOS)
	}
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the demo's host needs these programs, which are not in the PATH: %s (coreutils, util-linux and an awk have them)", strings.Join(missing, ", "))
	}
	if _, err := os.Stat("/bin/sh"); err != nil {
		return errors.New("the demo's host needs the shell /bin/sh")
	}
	return nil
}
