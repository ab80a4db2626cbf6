package runbook

// Pin is one line of the file that compose reads: which image a service's variable names.
type Pin struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`
	Absent   bool   `json:"absent,omitempty"` // the variable did not stand in the file
}
