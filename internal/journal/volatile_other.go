//go:build !linux

package journal

func volatile(string) string { return "" }
