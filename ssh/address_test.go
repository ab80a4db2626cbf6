package ssh

import "testing"

func TestParseAddress(t *testing.T) {
	for s, want := range map[string]struct {
		address address
		dial    string
		scan    string
	}{
		"deploy@vps-1":              {address{"deploy", "vps-1", "22"}, "vps-1:22", "ssh-keyscan vps-1"},
		"deploy@vps.Example.COM:23": {address{"deploy", "vps.example.com", "23"}, "vps.example.com:23", "ssh-keyscan -p 23 vps.example.com"},
		"deploy@192.0.2.7":          {address{"deploy", "192.0.2.7", "22"}, "192.0.2.7:22", "ssh-keyscan 192.0.2.7"},
		"deploy@[2001:db8::1]:2222": {address{"deploy", "2001:db8::1", "2222"}, "[2001:db8::1]:2222", "ssh-keyscan -p 2222 2001:db8::1"},
		"deploy@[2001:db8::1]":      {address{"deploy", "2001:db8::1", "22"}, "[2001:db8::1]:22", "ssh-keyscan 2001:db8::1"},
		"deploy@2001:db8::1":        {address{"deploy", "2001:db8::1", "22"}, "[2001:db8::1]:22", "ssh-keyscan 2001:db8::1"},
		"deploy@[2001:DB8:0::1]":    {address{"deploy", "2001:db8::1", "22"}, "[2001:db8::1]:22", "ssh-keyscan 2001:db8::1"},
		"deploy@[FE80::1%Eth0]:022": {address{"deploy", "fe80::1%Eth0", "22"}, "[fe80::1%Eth0]:22", "ssh-keyscan fe80::1%Eth0"},
		"me@example.com@vps":        {address{"me@example.com", "vps", "22"}, "vps:22", "ssh-keyscan vps"},
	} {
		got, err := parseAddress(s)
		if err != nil || got != want.address || got.dial() != want.dial || got.scan() != want.scan {
			t.Errorf("%s: got %+v, %q, %q, %v; want %+v", s, got, got.dial(), got.scan(), err, want)
		}
	}
}

func TestParseAddress_Refuses(t *testing.T) {
	for _, s := range []string{"", "vps", "@vps", "deploy@", "deploy@:22", "deploy@vps:", "deploy@vps:0",
		"deploy@vps:65536", "deploy@vps:ssh", "deploy@vps:-1", "deploy@a b", "deploy@*.example.com", "deploy@[::1"} {
		if got, err := parseAddress(s); err == nil {
			t.Errorf("%q was read as %+v", s, got)
		}
	}
}
