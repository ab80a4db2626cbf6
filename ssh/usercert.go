package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// credentials are what one log-in may show, in the order in which it is shown.
type credentials struct {
	signers []ssh.Signer
	useless []*certificateProblem // certificates that are not shown
}

// certificateProblem is why a user certificate doesn't open an account, and what to do.
type certificateProblem struct{ what, remedy string }

// certificateBeside is where OpenSSH looks for the certificate of a key file: ssh_config(5), IdentityFile.
func certificateBeside(keyFile string) string { return keyFile + "-cert.pub" }

// withCertificate is a key with the certificate beside its file, where there is one. The certificate comes first; a host that
// doesn't take it is shown the plain key, as by OpenSSH, which tries both (ssh.c, load_public_identity_files).
// It is read for each log-in: certificates live for hours, and others renew them.
func withCertificate(keyFile string, key ssh.Signer) credentials {
	plain := credentials{signers: []ssh.Signer{key}}
	file := certificateBeside(keyFile)
	useless := func(remedy, format string, args ...any) credentials {
		plain.useless = []*certificateProblem{{"the certificate " + file + " " + fmt.Sprintf(format, args...), remedy}}
		return plain
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return plain
	}
	if err != nil {
		return useless("make it readable for this user", "can't be read")
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(data)
	cert, isCertificate := public.(*ssh.Certificate)
	if err != nil || !isCertificate {
		return useless("put there what ssh-keygen -s writes, or remove it", "is none that can be read")
	}
	if p := unusable(cert); p != nil {
		return useless(p.remedy, "%s", p.what)
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		return useless("have "+keyFile+".pub signed, and put the result there", "is for another key, %s", ssh.FingerprintSHA256(cert.Key))
	}
	return credentials{signers: []ssh.Signer{signer, key}}
}

// unusable says why a certificate is never shown to a host; nil for one that may be. One that forces a command would have
// every host run that in place of ours.
func unusable(cert *ssh.Certificate) *certificateProblem {
	if cert.CertType != ssh.UserCert {
		return &certificateProblem{"is one for hosts", "have one for users issued: ssh-keygen -s without -h"}
	}
	if _, forced := cert.CriticalOptions["force-command"]; forced {
		return &certificateProblem{"allows a single command of its own", "have one issued without force-command"}
	}
	return nil
}

// certificateOf is the certificate in a public key, which an agent gives as bytes alone; nil where it is none.
func certificateOf(key ssh.PublicKey) *ssh.Certificate {
	cert, is := key.(*ssh.Certificate)
	if !is && strings.HasSuffix(key.Type(), "-cert-v01@openssh.com") {
		parsed, _ := ssh.ParsePublicKey(key.Marshal()) // one that can't be read is none of ours to judge
		cert, _ = parsed.(*ssh.Certificate)
	}
	return cert
}

// usable leaves out the certificates that are never shown.
func usable(signers []ssh.Signer) (c credentials) {
	for _, signer := range signers {
		cert := certificateOf(signer.PublicKey())
		if cert == nil {
			c.signers = append(c.signers, signer)
			continue
		}
		p := unusable(cert)
		if p == nil {
			c.signers = append(c.signers, signer)
			continue
		}
		c.useless = append(c.useless, &certificateProblem{"the certificate " + certificateName(cert) + " " + p.what, p.remedy})
	}
	return c
}

// certificates are those that are shown.
func (c credentials) certificates() (certs []*ssh.Certificate) {
	for _, signer := range c.signers {
		if cert := certificateOf(signer.PublicKey()); cert != nil {
			certs = append(certs, cert)
		}
	}
	return certs
}

// problem is the first that the certificates have for a user now; nil where they have none. A host may trust one all the
// same: its clock may differ, and its AuthorizedPrincipalsFile may say that another principal is the user. So they are shown,
// as by OpenSSH, and this is said once they are refused.
func (c credentials) problem(user string, now time.Time) *certificateProblem {
	if len(c.useless) > 0 {
		return c.useless[0]
	}
	for _, cert := range c.certificates() {
		if p := refusal(cert, user, now); p != nil {
			return p
		}
	}
	return nil
}

// refusal is why sshd refuses a certificate: sshkey.c, sshkey_cert_check_authority.
func refusal(cert *ssh.Certificate, user string, now time.Time) *certificateProblem {
	name, at := "the certificate "+certificateName(cert), uint64(now.Unix())
	switch {
	case at >= cert.ValidBefore:
		return &certificateProblem{fmt.Sprintf("%s expired at %s", name, instant(cert.ValidBefore)), "renew it"}
	case at < cert.ValidAfter:
		return &certificateProblem{fmt.Sprintf("%s is not valid before %s", name, instant(cert.ValidAfter)), "wait until then, or have one issued that is valid now; compare the clocks if that is past"}
	case !slices.Contains(cert.ValidPrincipals, user):
		principals := strings.Join(cert.ValidPrincipals, ", ")
		if principals == "" {
			principals = "nobody"
		}
		return &certificateProblem{fmt.Sprintf("%s is for %.200q, not for %s", name, principals, user), "have one issued for " + user + ": ssh-keygen -s CA -I NAME -n " + user}
	}
	return nil
}

// certificateName is what its issuer calls it, which sshd's log has, too.
func certificateName(cert *ssh.Certificate) string { return fmt.Sprintf("%.100q", cert.KeyId) }

func instant(seconds uint64) string {
	return time.Unix(int64(min(seconds, 1<<40)), 0).UTC().Format(time.RFC3339)
}
