package config

import "testing"

// What init asks alone is judged as it is in a whole environment.
func TestCheck_OneValueAlone(t *testing.T) {
	for host, good := range map[string]bool{"deploy@your-vps": true, "deploy@[2001:db8::1]:22": true, "your-vps": false, "deploy@": false, "@your-vps": false, "": false} {
		if wrong, remedy := CheckHost(host); (wrong == "") != good || (remedy == "") != good {
			t.Errorf("host %q: %q, %q", host, wrong, remedy)
		}
	}
	for app, good := range map[string]bool{"shop": true, "shop-2": true, "Shop": false, "a,b": false, "status": false, "init": false, "rb-1": false, "": false} {
		if wrong, remedy := CheckApp(app); (wrong == "") != good || (remedy == "") != good {
			t.Errorf("app %q: %q, %q", app, wrong, remedy)
		}
	}
}
