package config

import (
	"bytes"
	"io/fs"
	"os"

	"rollbackbot/runbook"
)

// SSH is how hosts are reached.
type SSH struct {
	Key         string       // private key file; empty: the agent is asked
	AgentSocket string       // the agent's socket; may be empty where Key is set
	KnownHosts  string       // known_hosts file
	Jump        runbook.Host // empty: the hosts are reached directly
}

func (r *reader) ssh(env environment) SSH {
	s := SSH{
		Key:         r.key(env.SSHKey),
		KnownHosts:  r.text(env.SSHKnownHosts),
		AgentSocket: env.SSHAuthSock.text(),
	}
	if s.KnownHosts != "" {
		r.file(env.SSHKnownHosts, s.KnownHosts)
	}
	if jump := env.SSHJump.text(); jump != "" {
		s.Jump = r.host(env.SSHJump, jump)
	}
	switch {
	case s.Key != "":
	case s.AgentSocket == "":
		r.problem(env.SSHKey, "it is not set, and no agent is there (SSH_AUTH_SOCK)", "name a private key file, or start the program with an agent")
	case !isSocket(s.AgentSocket):
		r.problem(env.SSHAuthSock, "there is no agent at "+show(s.AgentSocket), "start the agent, or name a private key file in ROLLBACK_SSH_KEY")
	}
	return s
}

// signers is an allowed_signers file. What is in it is for whoever checks signatures to say.
func (r *reader) signers(s setting) string {
	path := s.text()
	if path != "" {
		r.file(s, path)
	}
	return path
}

// key is a private key file. Whether it has a passphrase, and of which kind it is, is for package ssh to say.
func (r *reader) key(s setting) string {
	path := s.text()
	if path == "" {
		return ""
	}
	content := r.file(s, path)
	if len(bytes.TrimSpace(content)) > 0 && !bytes.Contains(content, []byte("PRIVATE KEY-----")) {
		r.problem(s, "the file "+show(path)+" holds no private key", "name the private key, not the .pub file beside it")
	}
	return path
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeSocket != 0
}
