// Package runbooktest is what the tests of the packages below runbook share: a journal in memory, and the releases of a shop.
package runbooktest
