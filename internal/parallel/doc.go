// Package parallel runs functions at once, and waits.
package parallel
