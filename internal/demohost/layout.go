package demohost

import "path/filepath"

// folder is where everything that a host is made of lies.
type folder string

func (f folder) path(elements ...string) string {
	return filepath.Join(append([]string{string(f)}, elements...)...)
}

func (f folder) bin() string      { return f.path("bin") }      // first in the PATH
func (f folder) home() string     { return f.path("home") }     // of the SSH user
func (f folder) keys() string     { return f.path("keys") }     // the client key and known_hosts
func (f folder) app() string      { return f.path("opt", app) } // where the runbook says /opt/your-app
func (f folder) engine() string   { return f.path("docker") }   // docker's own /var/lib/docker
func (f folder) sick() string     { return f.path("sick") }     // there: the api answers 503 in every version
func (f folder) lifeline() string { return f.path("lifeline") }

func (f folder) composeFile() string {
	return filepath.Join(f.app(), filepath.FromSlash(composeFileName))
}
func (f folder) envFile() string { return filepath.Join(filepath.Dir(f.composeFile()), ".env") }

func (f folder) stateFile() string { return filepath.Join(f.engine(), "state.json") }
func (f folder) stateLock() string { return filepath.Join(f.engine(), "state.lock") }

func (f folder) container(id, file string) string {
	return filepath.Join(f.engine(), "containers", id, file)
}
