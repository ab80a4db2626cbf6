package config

import "slices"

// Variable is one variable of the environment, as the README and doctor list it.
type Variable struct {
	Name     string // as set; those of an app with "<APP>" in place of its name
	Meaning  string // one sentence without a full stop
	Default  string // empty: none
	Required bool   // by serve; the other commands demand only what they use
}

// Variables lists every variable, those of an app last.
func Variables() []Variable {
	global, err := declare("", &environment{})
	if err != nil {
		panic(err) // the struct is ours: a test has seen it work
	}
	perApp, err := declare("ROLLBACK_APP_<APP>", &appEnvironment{})
	if err != nil {
		panic(err)
	}
	variables := make([]Variable, 0, len(global)+len(perApp))
	for _, s := range slices.Concat(global, perApp) {
		variables = append(variables, s.Variable)
	}
	return variables
}
