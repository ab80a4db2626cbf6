package ssh

import (
	"context"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// Checks look at known_hosts as log-ins to these hosts will: what OpenSSH passes over in silence is said there. A line that
// is about one of the hosts keeps that host from being used, and is said by whatever looks at it.
func (p *Pool) Checks(hosts ...runbook.Host) []runbook.Check {
	if p.jump != nil {
		hosts = append(slices.Clone(hosts), p.jump.host)
	}
	return []runbook.Check{
		{About: aboutKnownHosts, Run: func(context.Context) []runbook.Finding { return p.checkKnownHosts(hosts) }},
		{About: aboutKeys, Run: func(ctx context.Context) []runbook.Finding { return p.checkKeys(ctx, hosts) }},
	}
}

const (
	aboutKnownHosts = "known_hosts"
	aboutKeys       = "SSH key"
)

// checkKeys says what is shown to the hosts. A certificate that opens none of them is not wrong by itself: the plain key may.
func (p *Pool) checkKeys(ctx context.Context, hosts []runbook.Host) []runbook.Finding {
	shown, done, err := p.keys.open(ctx)
	if err != nil {
		return []runbook.Finding{runbook.FoundWrong(aboutKeys, "Fix the agent", "%v", err)}
	}
	done()
	for _, host := range hosts {
		addr, err := parseAddress(string(host))
		if err != nil {
			continue // whatever dials it says so
		}
		if problem := shown.problem(addr.user, time.Now()); problem != nil {
			return []runbook.Finding{runbook.NotChecked(aboutKeys, "%s; hosts are asked to take the plain key. For the certificate to count, %s", problem.what, problem.remedy)}
		}
	}
	seen := "shown to the hosts is " + fingerprints(shown.signers)
	for _, cert := range shown.certificates() {
		seen += "; the certificate " + certificateName(cert) + " is valid"
		if cert.ValidBefore != ssh.CertTimeInfinity {
			seen += " until " + instant(cert.ValidBefore)
		}
	}
	return []runbook.Finding{runbook.FoundFine(aboutKeys, "%s", seen)}
}

// mostLines bounds the lines that are told one by one.
const mostLines = 10

func (p *Pool) checkKnownHosts(hosts []runbook.Host) []runbook.Finding {
	file := p.config.KnownHosts
	lines, err := readKnownHosts(file)
	if err != nil {
		return []runbook.Finding{runbook.FoundWrong(aboutKnownHosts, "Fix known_hosts", "%v", err)}
	}
	concern := lines.concern(hosts)
	var found []runbook.Finding
	passed := slices.DeleteFunc(slices.Clone(lines), func(l knownLine) bool { return l.wrong == "" || concern[l.number] })
	for _, l := range passed[:min(len(passed), mostLines)] {
		found = append(found, runbook.NotChecked(aboutKnownHosts, "%s:%d is passed over, as ssh does, for %s; no log-in to these hosts goes by it. Correct that line, or remove it", file, l.number, l.wrong))
	}
	if more := len(passed) - len(found); more > 0 {
		found = append(found, runbook.NotChecked(aboutKnownHosts, "%s: %d more lines are passed over", file, more))
	}
	if len(found) == 0 {
		return []runbook.Finding{runbook.FoundFine(aboutKnownHosts, "%s has %d lines, and none is passed over", file, len(lines))}
	}
	return found
}

// concern are the numbers of the lines that log-ins to these hosts go by.
func (lines knownHosts) concern(hosts []runbook.Host) map[int]bool {
	concern := map[int]bool{}
	for _, l := range lines.revoked() {
		concern[l.number] = true
	}
	for _, host := range hosts {
		addr, err := parseAddress(string(host))
		if err != nil {
			continue // whatever dials it says so
		}
		about := lines.about(addr)
		for _, l := range about {
			concern[l.number] = concern[l.number] || !about.canPassOver(l)
		}
	}
	return concern
}
