package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// Verify says why an armored signature (ssh-keygen -Y sign) doesn't prove that this person made the statement, or nil.
// The error is a *runbook.RefusedError. at is when the signature arrived.
func (s Signers) Verify(person string, statement Statement, armored string, at time.Time) error {
	no := func(format string, args ...any) error {
		return &runbook.RefusedError{Why: "The signature doesn't count: " + fmt.Sprintf(format, args...) + "."}
	}
	sig, err := sshsig.Unarmor([]byte(strings.TrimSpace(armored)))
	if err != nil {
		return no("it can't be read; it goes from BEGIN SSH SIGNATURE to END SSH SIGNATURE")
	}
	if sig.Namespace != Namespace {
		return no("it was made for the namespace %q; sign with -n %s", sig.Namespace, Namespace)
	}
	if sig.Signature.Format == ssh.KeyAlgoRSA {
		return no("it is made with SHA-1") // ssh-keygen takes none either
	}
	key := ssh.FingerprintSHA256(sig.PublicKey)
	why := no("its key %s is not in ROLLBACK_SIGNERS", key)
	for _, line := range s.lines {
		if !bytes.Equal(line.key.Marshal(), sig.PublicKey.Marshal()) {
			continue
		}
		if !matchList(line.principals, person) {
			why = no("its key %s is not one of %s's in ROLLBACK_SIGNERS", key, person)
			continue
		}
		if problem := line.usable(at); problem != nil {
			why = no("%s", problem)
			continue
		}
		if sshsig.Verify(strings.NewReader(statement.Text()), sig, line.key, sig.HashAlgorithm, Namespace) != nil {
			return no("it is over another text than %q: another plan, another rollback, or another answer", statement.Lines()[0])
		}
		return nil
	}
	return why
}
