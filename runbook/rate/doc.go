// Package rate judges the error rate: which baseline counts, what was read of the rate in a window, and whether it is back.
// It decides nothing where the readings don't tell: then a person is asked. Who measures the rate stands behind
// runbook.ErrorRateChecker.
package rate
