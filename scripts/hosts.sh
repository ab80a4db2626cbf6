#!/usr/bin/env bash
# Builds the root file systems of the hosts of other generations, on which the
# tests of internal/hostlab run: with the engine, Compose, sshd and the shells
# that Debian's suites have.
#
#   scripts/hosts.sh               all of them: bookworm trixie sid
#   scripts/hosts.sh trixie sid    these
#   scripts/hosts.sh --check       change nothing; status 1 and a list if one is missing
#
# Each is a folder under ~/.cache/rollbackbot/hosts whose name has the versions
# of its engine and its Compose, as in trixie_26.1.5_2.26.1, and is made from
# what the mirror has on that day. What is there is left as it is; remove the
# folder to have it built again. A run that was killed goes on with the packages
# that it had fetched.
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
# shellcheck source=scripts/parts/host.sh
. "$here/parts/host.sh"

main() {
	local suites=("$@") suite check= missing=()
	if [ "${1:-}" = --check ]; then
		check=yes
		suites=("${@:2}")
	fi
	if [ "${#suites[@]}" = 0 ]; then suites=(bookworm trixie sid); fi
	for suite in "${suites[@]}"; do
		host_present "$suite" || missing+=("$suite")
	done
	if [ "${#missing[@]}" = 0 ]; then
		say "every host is here"
		return
	fi
	if [ -n "$check" ]; then
		printf 'missing hosts: %s\n' "${missing[*]}" >&2
		return 1
	fi
	[ "$(id -u)" = 0 ] || fail "you are not root" "start it again as root: a root file system has files of many owners"
	mkdir -p "$host_folder"
	# One at a time, also beside another start: both would build the same.
	exec 9>"$host_folder/build.lock"
	flock 9
	host_tools
	for suite in "${missing[@]}"; do
		host_present "$suite" || host_build "$suite"
	done
	say "every host is here, after ${SECONDS} s"
}

main "$@"
