package config

// Need is how much of the environment a command uses, and so demands. Each level includes those before it.
type Need int

// The levels, with the commands that have them.
const (
	Nothing    Need = iota // demo, manifest, version
	Remote                 // deployed and allowed away from the bot's machine: ROLLBACK_URL and its token
	Database               // allowed, history, audit, postmortem
	Apps                   // deployed
	Hosts                  // plan, lock, unlock: hosts and SSH as well
	Everything             // serve, doctor, run, signoff
)

// needs are the levels as the `need` tags name them.
var needs = map[string]Need{"remote": Remote, "database": Database, "apps": Apps, "hosts": Hosts, "everything": Everything}
