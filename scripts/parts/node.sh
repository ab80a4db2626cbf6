# Node packages for Slack's own client and an emulator of GitHub; sourced, not
# run.

node_source=$repository/internal/parts/node
node_folder=${ROLLBACKBOT_PARTS_NODE:-$cache/node}
# What Bolt needs at least, and what is fetched where the machine's is older
# (Debian 12 has 18).
node_least=20
node_version=22.23.3

# node_wanted tells whether this checkout has a test that needs Node.
node_wanted() {
	[ -e "$node_source/package-lock.json" ]
}

# node_binary prints the node that tests will use.
node_binary() {
	if [ -x "$node_folder/node_modules/.bin/node" ]; then
		echo "$node_folder/node_modules/.bin/node"
	else
		command -v node || true
	fi
}

# node_new_enough tells whether node_binary is one that Bolt runs on.
node_new_enough() {
	local binary version
	binary=$(node_binary)
	[ -n "$binary" ] && version=$("$binary" --version) || return 1
	version=${version#v}
	[ "${version%%.*}" -ge "$node_least" ]
}

# node_present compares the lock file with the one that was installed from, so
# that a changed lock file installs anew.
node_present() {
	if ! node_wanted; then return 0; fi
	cmp -s "$node_source/package-lock.json" "$node_folder/installed.lock" && node_new_enough
}

node_install() {
	if node_present; then return; fi
	local began=$SECONDS log=$cache/npm.log
	: >"$log"
	say "installing Node packages"
	mkdir -p "$node_folder"
	rm -f "$node_folder/installed.lock"
	cp "$node_source/package.json" "$node_source/package-lock.json" "$node_folder/"
	(
		cd "$node_folder"
		logged "$log" npm ci --no-audit --no-fund
		node_new_enough || logged "$log" npm install --no-save --no-audit --no-fund "node@$node_version"
	) || fail "Node packages could not be installed" "see $log; the npm registry must be reachable"
	node_new_enough || fail "no Node $node_least or newer" "install one and put it on PATH"
	cp "$node_source/package-lock.json" "$node_folder/installed.lock"
	say "Node packages installed in $((SECONDS - began)) s"
}
