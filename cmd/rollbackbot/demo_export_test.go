package main

// The demo's bot is the program that runs, which in a test is the test's.
var (
	IsDemoBot  = isDemoBot
	RunDemoBot = runDemoBot
)
