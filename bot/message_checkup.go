package bot

import (
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

const (
	// maxFindingRunes and maxCheckupRunes keep a checkup within one section of 3,000 characters; a terminal has all of it:
	// https://docs.slack.dev/reference/block-kit/blocks/section-block
	maxFindingRunes = 300
	maxCheckupRunes = 2200
)

// CheckupMessage tells what would not work and what could not be seen; of what is fine it says how much there is.
func CheckupMessage(findings []runbook.Finding) Message {
	fine, left := 0, 0
	var lines []string
	length := 0
	for _, mark := range []runbook.Mark{runbook.Wrong, runbook.Unchecked} {
		for _, f := range findings {
			if f.Mark != mark {
				continue
			}
			line := runbook.Truncate(f.String(), maxFindingRunes)
			if length += len([]rune(line)); length > maxCheckupRunes {
				left++
				continue
			}
			lines = append(lines, line)
		}
	}
	for _, f := range findings {
		if f.Mark == runbook.Fine {
			fine++
		}
	}
	head := "All that could be looked at is fine: a rollback would work."
	if !runbook.Sound(findings) {
		head = "Something would not work."
	}
	lines = append([]string{head}, lines...)
	if left > 0 {
		lines = append(lines, fmt.Sprintf("There is more: %d lines. `rollbackbot doctor` in a terminal has them all.", left))
	}
	lines = append(lines, fmt.Sprintf("Fine: %d.", fine))
	return TextMessage(strings.Join(lines, "\n"))
}
