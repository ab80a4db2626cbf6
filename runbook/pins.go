package runbook

import "strings"

// Pin is one line of the file that compose reads: which image a service's variable names.
type Pin struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`            // as it stands in the file, quotes included
	Absent   bool   `json:"absent,omitempty"` // the variable doesn't stand in the file
}

// Plain is the pin's value without quotes; false where compose would expand something in it.
func (p Pin) Plain() (string, bool) {
	value := p.Value
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		value = value[1 : len(value)-1]
	}
	return value, !strings.ContainsAny(value, `$\`)
}

// PlainValue is the pin's value without quotes, whether or not something would be expanded in it.
func (p Pin) PlainValue() string {
	value, _ := p.Plain()
	return value
}
