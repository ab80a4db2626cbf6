//go:build !linux

package demohost

import "syscall"

// diesWithParent is for Linux alone, as the host is; this lets the package be built elsewhere.
func diesWithParent() *syscall.SysProcAttr { return nil }
