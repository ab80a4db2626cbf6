#!/usr/bin/env bash
# Installs and starts the real parts that the end-to-end tests run on: the
# Docker engine, Docker Compose, the OpenSSH server, PostgreSQL's programs,
# Prometheus, Chromium, curl, sudo, other login shells, Node packages.
#
# Everything built or fetched is kept under ~/.cache/rollbackbot, keyed by
# version. A second run finds it all in place and ends within seconds.
#
#   scripts/parts.sh            install and start what is missing
#   scripts/parts.sh --check    change nothing; status 1 and a list if a part is missing
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$here")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rollbackbot
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# shellcheck source=scripts/parts/log.sh
. "$here/parts/log.sh"
# shellcheck source=scripts/parts/debian.sh
. "$here/parts/debian.sh"
# shellcheck source=scripts/parts/compose.sh
. "$here/parts/compose.sh"
# shellcheck source=scripts/parts/node.sh
. "$here/parts/node.sh"
# shellcheck source=scripts/parts/engine.sh
. "$here/parts/engine.sh"

missing() {
	local package
	for package in $(debian_missing); do echo "Debian package $package"; done
	compose_present || echo "Docker Compose $compose_version"
	node_present || echo "Node packages of internal/parts/node"
	engine_answers || echo "a running Docker engine"
}

main() {
	local todo
	todo=$(missing)
	if [ -z "$todo" ]; then
		say "every part is here"
		return
	fi
	if [ "${1:-}" = --check ]; then
		printf 'missing: %s\n' "${todo//$'\n'/; }" >&2
		return 1
	fi
	debian_or_by_hand "$todo"
	mkdir -p "$cache"

	# The compiler wants the processor and apt wants the network and the disk,
	# so they run side by side; npm waits for apt, which may bring it.
	local packages
	(debian_install) &
	packages=$!
	if ! compose_install; then
		wait "$packages" || true
		fail "Docker Compose could not be built" "see $cache/compose.log; the Go module proxy must be reachable"
	fi
	wait "$packages" || fail "Debian packages could not be installed" "see $cache/apt.log; try: apt-get update && apt-get install -y $(debian_missing | tr '\n' ' ')"
	compose_answers
	node_install
	engine_start
	say "every part is here, after ${SECONDS} s"
}

main "$@"
