package terminal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSigners_NamesEveryBadLine(t *testing.T) {
	_, public := newKey(t, "ed25519")
	text := strings.Join([]string{
		"ULEAD " + public,
		"ULEAD",
		"ULEAD ssh-ed25519 nonsense",
		"ULEAD cert-authority " + public,
		`ULEAD valid-before="tomorrow" ` + public,
		`"ULEAD ` + public,
		"ULEAD wrong-option " + public,
		`ULEAD namespaces="a",namespaces="b" ` + public,
	}, "\r\n")
	_, err := ParseSigners([]byte(text))
	if err == nil {
		t.Fatal("a file with bad lines was taken")
	}
	got := strings.Split(err.Error(), "\n")
	want := []string{
		"line 2: it has to be", "line 3: no public key", "line 4: cert-authority is not supported", `line 5: "tomorrow" is no time`,
		"line 6: a quote is not closed", `line 7: there is no option "wrong-option"`, "line 8: namespaces is there twice",
	}
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d:\n%v", len(got), len(want), err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

func TestLoadSigners_NothingInIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signers")
	if _, err := LoadSigners(file); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(file, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSigners(file); err == nil {
		t.Error("a file without a key was taken")
	}
}

func TestVouches(t *testing.T) {
	_, public := newKey(t, "ed25519")
	s := signers(t, `UOLD valid-before="20200101Z" `+public, "ULEAD "+public)
	if err := s.Vouches("ULEAD", noon); err != nil {
		t.Error(err)
	}
	for person, want := range map[string]string{"UOLD": "expired", "UNOBODY": "not a principal"} {
		if err := s.Vouches(person, noon); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", person, err, want)
		}
	}
}
