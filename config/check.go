package config

// CheckHost says what is wrong with a host as HOSTS has it, and the remedy; "" where nothing is.
func CheckHost(text string) (wrong, remedy string) {
	r := &reader{need: Everything}
	r.host(setting{}, text)
	for _, p := range r.problems {
		return p.Wrong, p.Remedy
	}
	return "", ""
}
