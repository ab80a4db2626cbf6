package ssh

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"

	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
)

// sixes are this machine's IPv6 addresses to try, as ListenAddress takes them: loopback, and one of a link with its interface.
func sixes(t *testing.T) []string {
	t.Helper()
	found := []string{"::1"}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		addresses, _ := link.Addrs() // one that has gone meanwhile has none
		for _, address := range addresses {
			if ip, ok := address.(*net.IPNet); ok && ip.IP.To4() == nil && ip.IP.IsLinkLocalUnicast() && len(found) == 1 {
				found = append(found, ip.IP.String()+"%"+link.Name)
			}
		}
	}
	if probe, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		probe.Close()
	}
	return found
}

// The lines that OpenSSH finds for an address are those by which the bot knows it, however either is written.
func TestRealSSHD_IPv6(t *testing.T) {
	for _, six := range sixes(t) {
		// A test's folder has its name, and ssh expands a % in the paths that it is given.
		t.Run(strings.ReplaceAll(six, "%", "_"), func(t *testing.T) {
			host := realhost.StartSSHD(t, realhost.WithConfig("ListenAddress "+six))
			_, port, _ := net.SplitHostPort(host.Addr())
			_, key, _ := strings.Cut(strings.TrimSpace(read(t, host.KnownHosts(t))), " ")
			key, _, _ = strings.Cut(key, "\n")
			own := "[" + six + "]:" + port
			for name, hosts := range map[string]string{
				"with its port": own, "hashed": knownhosts.HashHostname(own), "without its port": six, "in capitals": strings.ToUpper(own),
				"by a wildcard": "[" + six[:3] + "*]:*",
			} {
				file := temp(t, "known_hosts", "vps-1 ssh-rsa AAAA\n"+hosts+" "+key+"\n")
				words := host.Client(t)
				words[len(words)-1] = host.User() + "@" + six
				for i, word := range words {
					if strings.HasPrefix(word, "UserKnownHostsFile=") {
						words[i] = "UserKnownHostsFile=" + file
					}
				}
				words = slices.Insert(words, len(words)-1, "-o", "UpdateHostKeys=no", "-o", "GlobalKnownHostsFile=/dev/null")
				if output, err := exec.Command(words[0], append(words[1:], "true")...).CombinedOutput(); err != nil {
					t.Errorf("%s: ssh doesn't get in: %s", name, output)
				}
				pool := newPool(t, Config{DialTimeout: patience, KeyFile: host.KeyFile(), KnownHosts: file})
				run(t, on(pool, runbook.Host(host.User()+"@["+six+"]:"+port)), patiently("true"))
			}
			// Written out, it is the same address; and through itself as a jump host.
			file := temp(t, "known_hosts", own+" "+key+"\n")
			spelt := strings.Replace(six, "::", ":0::", 1)
			if strings.HasPrefix(six, "::") {
				spelt = "0:0:0:0:0:0:0:1"
			}
			at := runbook.Host(host.User() + "@[" + spelt + "]:" + port)
			pool := newPool(t, Config{DialTimeout: patience, KeyFile: host.KeyFile(), KnownHosts: file, Jump: string(at)})
			run(t, on(pool, at), patiently("true"))
		})
	}
}

// A message about an IPv6 host says where its address ends and its port begins.
func TestProblem_IPv6IsUnambiguous(t *testing.T) {
	file := temp(t, "known_hosts", "[2001:db8::10]:2222 "+keyOf(newSigner(t).PublicKey())+"\n")
	pool := newPool(t, Config{KeyFile: newKeyFile(t, ""), KnownHosts: file, Dial: silentDial, DialTimeout: 1})
	_, err := on(pool, "deploy@[2001:db8::10]:2222").Run(t.Context(), script("true"))
	wantHostError(t, err, true, "nothing answers at [2001:db8::10]:2222 within 1ns", "check that the machine is up and that its firewall lets the bot's machine in")
}
