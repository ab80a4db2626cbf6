// Package hostlock takes and gives back an app's lock on its hosts for people and CI, who work there by hand.
package hostlock
