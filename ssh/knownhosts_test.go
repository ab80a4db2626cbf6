package ssh

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
)

// keyOf is what a line of known_hosts has after its hosts.
func keyOf(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

// cut takes the last n characters from a text, as an editor or a full disk does.
func cut(text string, n int) string { return text[:len(text)-n] }

// ssh-keygen -F is the judge of which lines are about a host.
func TestKnownLine_NamesAsSSHKeygenDoes(t *testing.T) {
	hosts := []string{"vps-1", "vps-1.example.test", "203.0.113.7", "[vps-1]:2222", "[203.0.113.7]:2222", "2001:db8::10", "[2001:db8::10]:2222", "fe80::1%eth0", "[::1]:22222"}
	patterns := []string{"*", "vps-?", "VPS-1", "*.example.test", "vps-1.*", "!vps-1,*", "*,!vps-1", "!*", "!other,vps-1", "vps-1,203.0.113.7", ",vps-1,", "[vps-1]:2222", "[vps-1]:*",
		"[*]:2222", "[*]:*", "*:2222", "vps-1:2222", "[vps-1]", "203.0.113.*", "2001:DB8::10", "2001:db8::*", "[2001:db8::10]:2222", "[2001:db8::10]", "2001:db8:0::10", "fe80::1%eth0", "fe80::1%*", "fe80::1", "**vps**1**", "?", "!", "a*b*c*d*e*f*vps-1"}
	for _, host := range hosts {
		patterns = append(patterns, knownhosts.HashHostname(host))
	}
	patterns = append(patterns, "|1|AAAA|BBBB", "|2|"+knownhosts.HashHostname("vps-1")[3:])
	key := keyOf(newSigner(t).PublicKey())
	var file strings.Builder
	for _, pattern := range patterns {
		file.WriteString(pattern + " " + key + "\n")
	}
	path := temp(t, "known_hosts", file.String())
	lines, err := readKnownHosts(path)
	if err != nil || len(lines) != len(patterns) {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for _, host := range hosts {
		var got []int
		for _, l := range lines {
			if l.names(host) {
				got = append(got, l.number)
			}
		}
		if want := keygenFinds(t, path, host); !slices.Equal(got, want) {
			t.Errorf("%s is named in the lines %d, by ssh-keygen in %d", host, got, want)
		}
	}
}

// keygenFinds are the numbers of the lines that ssh-keygen finds for a host.
func keygenFinds(t *testing.T, file, host string) (numbers []int) {
	t.Helper()
	output, err := exec.Command("ssh-keygen", "-F", host, "-f", file).Output()
	if failed := new(exec.ExitError); err != nil && (!errors.As(err, &failed) || failed.ExitCode() != 1) {
		t.Skipf("ssh-keygen: %v", err)
	}
	for _, found := range regexp.MustCompile(`found: line (\d+)`).FindAllSubmatch(output, -1) {
		number, _ := strconv.Atoi(string(found[1]))
		numbers = append(numbers, number)
	}
	return numbers
}

func TestKnownLine_ACutHashIsAboutWhomItBeginsToSpell(t *testing.T) {
	hashed := knownhosts.HashHostname("vps-1")
	for gone := range 30 {
		l := knownLine{hosts: cut(hashed, gone)}
		if got, want := l.names("vps-1"), gone <= leastHash; got != want {
			t.Errorf("%d characters cut off: it is about the host: %v, want %v", gone, got, want)
		}
		if l.names("vps-2") {
			t.Errorf("%d characters cut off: it is about another host", gone)
		}
	}
}

func TestKnownLine_LongPatternsTakeNoTime(t *testing.T) {
	l := knownLine{hosts: strings.Repeat("a*", 500_000) + "b"}
	if l.names(strings.Repeat("a", 200)) {
		t.Error("it matches")
	}
}

// row is a known_hosts file as people have them. Each is shown to OpenSSH's own client, too: it says whether a person would
// get in with that file.
type row struct {
	name    string
	file    string
	ssh     bool   // a person gets in
	bot     string // what keeps the bot out; "" for nothing
	passed  []int  // the lines that doctor says are passed over
	instead string // what known_hosts has after the remedy was followed; "" where none is needed
}

func TestKnownHosts_AsOpenSSHReadsThem(t *testing.T) {
	host := realhost.StartSSHD(t, realhost.WithHostKeys(ssh.KeyAlgoED25519))
	good := strings.TrimSpace(read(t, host.KnownHosts(t))) // "[127.0.0.1]:PORT ssh-ed25519 AAAA…"
	name, key, _ := strings.Cut(good, " ")
	hashed := knownhosts.HashHostname(name)
	rsa, other := keyOf(newKey(t, ssh.KeyAlgoRSA).PublicKey()), keyOf(newSigner(t).PublicKey())
	blob, _ := base64.StdEncoding.DecodeString(strings.Fields(key)[1])
	tomorrow := "sk-new@openssh.com " + base64.StdEncoding.EncodeToString(ssh.Marshal(struct{ Name, Key string }{"sk-new@openssh.com", "x"}))
	authority := strings.TrimSpace(read(t, host.KnownHostsAuthority(t)))
	_, authorityKey, _ := strings.Cut(strings.TrimPrefix(authority, "@cert-authority "), " ")

	const key1, ends = "is about it and can't be read, for its key is cut off or damaged", "is about it and can't be read, for it ends before the key"
	rows := []row{
		// About others: passed over, and said.
		{name: "case 23", file: good + "\nold.example.test ssh-rsa AAAAB3NzaC1yc2EAAAADbroken==\n", ssh: true, passed: []int{2}},
		{name: "case 23, the second form", file: good + "\nvps-9 " + tomorrow + "\n", ssh: true, passed: []int{2}},
		{name: "about it, one more key, of a type of tomorrow", file: good + "\n" + name + " " + tomorrow, ssh: true, passed: []int{2}},
		{name: "about it, a type of tomorrow beside an authority", file: "[127.*]:* " + tomorrow + "\n" + authority, ssh: true, passed: []int{1}},
		{name: "cut off, first", file: "old " + cut(rsa, 40) + "\n" + good + "\n", ssh: true, passed: []int{1}},
		{name: "cut off, without padding", file: "old " + cut(other, 1) + "\n" + good, ssh: true, passed: []int{1}},
		{name: "a hash cut off", file: cut(knownhosts.HashHostname("old"), 10) + " " + rsa + "\n" + good, ssh: true, passed: []int{1}},
		{name: "a hash cut off with all that follows", file: cut(knownhosts.HashHostname("old"), 3) + "\n" + good, ssh: true, passed: []int{1}},
		{name: "a salt cut off", file: "|1|abc|def " + rsa + "\n" + good, ssh: true, passed: []int{1}},
		{name: "a hash of tomorrow", file: "|2|abc|def " + rsa + "\n" + good, ssh: true, passed: []int{1}},
		{name: "a hashed name with a key cut off", file: knownhosts.HashHostname("old") + " " + cut(rsa, 9) + "\n" + good, ssh: true, passed: []int{1}},
		{name: "an unknown marker", file: "@trusted old " + rsa + "\n" + good, ssh: true, passed: []int{1}},
		{name: "an authority cut off", file: "@cert-authority *.other.test " + cut(rsa, 9) + "\n" + good, ssh: true, passed: []int{1}},
		{name: "no key", file: "old ssh-rsa\n" + good, ssh: true, passed: []int{1}},
		{name: "a host alone", file: "old\n" + good, ssh: true, passed: []int{1}},
		{name: "no host", file: rsa + " me@laptop\n" + good, ssh: true, passed: []int{1}},
		{name: "a key of SSH 1", file: "old 1024 35 123456789012345678901234567890\n" + good, ssh: true, passed: []int{1}},
		{name: "another type than it says", file: "old ssh-rsa " + strings.Fields(other)[1] + "\n" + good, ssh: true, passed: []int{1}},
		{name: "rubbish", file: "\x7fELF\x02\x01\x00\x00\x80\xff \xfe\xfd\n\x01\x02\x03\n" + good, ssh: true, passed: []int{1, 2}},
		{name: "not about it, by negation", file: "!" + name + ",* " + cut(rsa, 9) + "\n" + good, ssh: true, passed: []int{1}},
		{name: "the same machine at another port", file: "[127.0.0.1]:1 " + cut(rsa, 9) + "\n127.0.0.1 " + cut(rsa, 9) + "\n" + good, ssh: true, passed: []int{1, 2}},
		{name: "a very long line", file: strings.Repeat("old,", 50_000) + "older " + cut(rsa, 9) + "\n" + good, ssh: true, passed: []int{1}},
		{name: "many lines", file: strings.Repeat("old "+cut(rsa, 9)+"\n", 12) + good, ssh: true, passed: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		// Nothing is wrong with these.
		{name: "a long line", file: name + strings.Repeat(",old", 30_000) + " " + key + "\n", ssh: true},
		{name: "CRLF", file: "# ours\r\n\r\nold " + rsa + "\r\n" + good + "\r\n", ssh: true},
		{name: "CRLF and a comment", file: good + " me@laptop\r\n", ssh: true},
		{name: "no final newline", file: "old " + rsa + "\n" + good, ssh: true},
		{name: "comments", file: "  # ours\n\t\n#" + good + "\n \t" + name + " \t " + strings.Replace(key, " ", "\t ", 1) + "  a comment of many words # and more\n", ssh: true},
		{name: "hashed", file: hashed + " " + key + "\n", ssh: true},
		{name: "a list", file: "old," + strings.ToUpper(name) + ",older " + key, ssh: true},
		{name: "wildcards", file: "[127.0.?.*]:* " + key, ssh: true},
		{name: "all hosts", file: "* " + key, ssh: true},
		{name: "known without its port", file: "127.0.0.1 " + key, ssh: true},
		{name: "known without its port, and an authority with it", file: "127.0.0.1 " + key + "\n@cert-authority " + name + " " + rsa, ssh: true},
		{name: "what follows a NUL", file: good + "\x00junk\n", ssh: true},
		{name: "the authority", file: authority, ssh: true},
		{name: "the authority without the port", file: "@cert-authority 127.0.0.1 " + authorityKey, ssh: true},
		{name: "the authority, for all", file: "@cert-authority * " + authorityKey, ssh: true},
		{name: "another authority, and the key", file: "@cert-authority * " + rsa + "\n" + good, ssh: true},
		{name: "another's key is revoked", file: "@revoked * " + other + "\n" + good, ssh: true},

		// About this host: never passed over.
		{name: "about it, plain", file: good + "\n" + name + " " + cut(rsa, 9), ssh: true, bot: "known_hosts:2 " + key1, instead: good},
		{name: "about it, and nothing else", file: cut(good, 3), bot: "known_hosts:1 " + key1, instead: good},
		{name: "about it, hashed", file: good + "\n" + hashed + " " + cut(rsa, 9), ssh: true, bot: "known_hosts:2 " + key1, instead: good},
		{name: "about it, a hash cut off", file: good + "\n" + cut(hashed, 5), ssh: true, bot: "known_hosts:2 is about it and can't be read, for its hashed host name is cut off or damaged", instead: good},
		{name: "about it, by a wildcard", file: good + "\n[127.*]:* " + cut(rsa, 9), ssh: true, bot: "known_hosts:2 " + key1, instead: good},
		{name: "about it, a type of tomorrow alone", file: name + " " + tomorrow, bot: "known_hosts:1 is about it and can't be read, for its key is of a type that isn't known here", instead: good},
		{name: "about it, an authority of tomorrow", file: good + "\n@cert-authority * " + tomorrow, ssh: true, bot: "known_hosts:2 is about it and can't be read, for its key is of a type that isn't known here", instead: good},
		{name: "about it, the name of a type of tomorrow", file: good + "\n" + name + " sk-new@openssh.com " + strings.Fields(rsa)[1], ssh: true, bot: "known_hosts:2 is about it and can't be read, for its key is of another type than it says", instead: good},
		{name: "about it, in a list", file: good + "\nold," + name + " ssh-rsa", ssh: true, bot: "known_hosts:2 " + ends, instead: good},
		{name: "about it, in capitals", file: good + "\n" + strings.ToUpper(name), ssh: true, bot: "known_hosts:2 " + ends, instead: good},
		{name: "about it, with an unknown marker", file: good + "\n@trusted " + name + " " + rsa, ssh: true, bot: "known_hosts:2 is about it and can't be read, for its marker is not one that ssh knows", instead: good},
		{name: "about it, an authority cut off", file: good + "\n@cert-authority * " + cut(rsa, 9), ssh: true, bot: "known_hosts:2 " + key1, instead: good},
		{name: "about it, without its port", file: "127.0.0.1 " + cut(rsa, 9), bot: "known_hosts:1 " + key1, instead: good},
		{name: "about it, a certificate", file: good + "\n" + name + " " + read(t, certificateFile(t)), ssh: true, bot: "known_hosts:2 is about it and can't be read, for it has a certificate where a key belongs", instead: good},
		{name: "a byte order mark", file: byteOrderMark + good, bot: "known_hosts:1 is about it and can't be read, for a byte order mark stands before it", instead: good},
		{name: "damaged within", file: name + " ssh-ed25519 " + base64.StdEncoding.EncodeToString(blob[:len(blob)-4]), bot: "known_hosts:1 " + key1, instead: good},

		// Revoked.
		{name: "revoked", file: good + "\n@revoked " + name + " " + key, bot: "is revoked in FILE:2"},
		{name: "revoked, hashed, first", file: "@revoked " + hashed + " " + key + "\n" + good, bot: "is revoked in FILE:1"},
		{name: "revoked without its port", file: good + "\n@revoked 127.0.0.1 " + key, ssh: true, bot: "is revoked in FILE:2"},
		{name: "revoked for others", file: good + "\n@revoked old " + key, ssh: true, bot: "is revoked in FILE:2"},
		{name: "revoked, the authority", file: authority + "\n@revoked * " + authorityKey, bot: "is revoked in FILE:2"},
		{name: "revoked, the key in the certificate", file: authority + "\n@revoked * " + key, bot: "is revoked in FILE:2"},
		{name: "revoked, and cut off", file: good + "\n@revoked * " + cut(key, 3), ssh: true, bot: "known_hosts:2 revokes a key and can't be read, for its key is cut off or damaged", instead: "@revoked * " + other + "\n" + good},
		{name: "revoked for others, and cut off", file: good + "\n@revoked old " + cut(other, 3), ssh: true, bot: "known_hosts:2 revokes a key and can't be read, for its key is cut off or damaged", instead: "@revoked old " + other + "\n" + good},
		{name: "revoked, without a host", file: good + "\n@revoked " + other, ssh: true, bot: "known_hosts:2 revokes a key and can't be read, for it ends before the key", instead: "@revoked * " + other + "\n" + good},
		{name: "revoked, misspelt", file: good + "\n@REVOKED " + name + " " + key, ssh: true, bot: "known_hosts:2 revokes a key and can't be read, for its marker is not one that ssh knows"},
		{name: "revoked authority", file: good + "\n@cert-authority @revoked " + name + " " + key, ssh: true, bot: "known_hosts:2 revokes a key and can't be read, for its marker is not one that ssh knows"},
		{name: "revoked, a type of tomorrow", file: good + "\n@revoked * " + tomorrow, ssh: true, bot: "known_hosts:2 revokes a key and can't be read, for its key is of a type that isn't known here", instead: good},
		{name: "revoked, a tab", file: good + "\n@revoked\t*\t" + key, ssh: true, bot: "is revoked in FILE:2"}, // OpenSSH looks for the marker's end at a space first, and finds one far behind

		// Plain refusals.
		{name: "changed", file: name + " " + other, bot: "the host key has changed"},
		{name: "another host", file: "old " + key, bot: "it is not in"},
		{name: "not it, by negation", file: "*,!" + name + ",!127.0.0.1 " + key, bot: "it is not in"},
		// With a host that has a certificate, OpenSSH comes to the bare name by way of that, and there accepts the key in it.
		{name: "changed, known without its port", file: name + " " + other + "\n127.0.0.1 " + key, ssh: true, bot: "the host key has changed"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { judged(t, host, r, strings.Fields(key)[1]) })
	}
}

func judged(t *testing.T, host *realhost.SSHD, r row, secret string) {
	t.Parallel()
	file := temp(t, "known_hosts", r.file)
	if got := personGetsIn(t, host, file); got != r.ssh {
		t.Errorf("ssh gets in: %v, want %v", got, r.ssh)
	}
	if r.bot == "" && !r.ssh {
		t.Error("a row in which the bot is less strict than ssh")
	}
	target := realTarget(t, host, file)
	_, err := target.Run(t.Context(), patiently("true"))
	switch want := strings.ReplaceAll(r.bot, "FILE", file); {
	case r.bot == "" && err != nil:
		t.Errorf("it is kept out: %v", err)
	case r.bot != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want %q", err, want)
	case err != nil && strings.Contains(err.Error(), secret[20:]):
		t.Errorf("it quotes the key: %v", err)
	}
	wantPassed(t, target.pool, runbook.Host(host.Target()), file, r.passed)
	if r.instead != "" {
		write(t, file, r.instead)
		run(t, target, patiently("true"))
	}
}

// wantPassed checks which lines doctor says are passed over, and that it quotes nothing of them.
func wantPassed(t *testing.T, pool *Pool, host runbook.Host, file string, want []int) {
	t.Helper()
	var got []int
	for _, f := range pool.Checks(host)[0].Run(t.Context()) {
		for _, at := range regexp.MustCompile(regexp.QuoteMeta(file)+`:(\d+) is passed over, as ssh does, for `).FindAllStringSubmatch(f.Seen, -1) {
			number, _ := strconv.Atoi(at[1])
			got = append(got, number)
		}
		if f.Mark == runbook.Wrong || len(f.Seen) > 300 || strings.Contains(f.Seen, "AAAA") {
			t.Errorf("%s", f)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("passed over are the lines %d, want %d", got, want)
	}
}

// personGetsIn asks OpenSSH's own client.
func personGetsIn(t *testing.T, host *realhost.SSHD, knownHosts string) bool {
	t.Helper()
	words := host.Client(t)
	words = slices.Insert(words, len(words)-1, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "UpdateHostKeys=no", "-o", "KexAlgorithms=curve25519-sha256")
	for i, word := range words {
		if strings.HasPrefix(word, "UserKnownHostsFile=") {
			words[i] = "UserKnownHostsFile=" + knownHosts
		}
	}
	return exec.Command(words[0], append(words[1:], "true")...).Run() == nil
}

// certificateFile is the path of a user certificate.
func certificateFile(t *testing.T) string {
	t.Helper()
	return temp(t, "id-cert.pub", keyOf(certified(t, newSigner(t), "deploy", forever).PublicKey()))
}

// Whatever a file holds, each of its lines is read or is not, and nothing panics.
func FuzzParseKnownHosts(f *testing.F) {
	for _, seed := range []string{"vps ssh-ed25519 AAAA", "@revoked * ssh-rsa", "|1|a|b x y", "\ufeff@ @ @", "\x00", "@revoked"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		scanner, count := bufio.NewScanner(bytes.NewReader(data)), 0
		scanner.Buffer(nil, len(data)+1)
		for scanner.Scan() {
			count++
		}
		for _, l := range parseKnownHosts(data) {
			if (l.key == nil) != (l.wrong != "") || l.number < 1 || l.number > count {
				t.Errorf("line %d of %d: %+v", l.number, count, l)
			}
			l.names("[vps]:2222")
		}
	})
}

// forever is a time after which nobody runs these tests.
var forever = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
