package parts

import "os/exec"

// program looks a program up on PATH, then at the places given: /usr/sbin is on root's PATH only. "" if it is nowhere.
func program(name string, places ...string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, place := range places {
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	return ""
}
