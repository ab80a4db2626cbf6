package ssh

// signalStatus is the status that a shell gives a command that a signal killed: 128 and the signal's number.
// A signal that SSH has no name for gives 128.
func signalStatus(name string) int { return 128 + signalNumbers[name] }

// signalNumbers are Linux's numbers (signal(7)) of the signals that SSH can name (RFC 4254, section 6.10).
var signalNumbers = map[string]int{
	"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9,
	"USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
}
