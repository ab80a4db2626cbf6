// Package postmortem writes the text of a rollback's ticket: the runbook's six headings, filled from the events of the
// journal. It is a pure function of them, and asks nobody.
package postmortem
