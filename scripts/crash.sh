#!/usr/bin/env bash
# Kills the bot at the points of a rollback and prints, for each store, how many
# points there were and what was lost or done twice. Status 1 if anything was.
#
#   scripts/crash.sh        every point in memory and of the whole runbook on both
#                           stores; a seeded sample with the real binary and real parts
#   ALL=1 scripts/crash.sh  every point of everything: half an hour
#
# ROLLBACKBOT_TEST_SEED=… takes the sample of another run again.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${ALL:-}" ]; then
	export ROLLBACKBOT_TEST_ALL_KILLS=1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# crash PACKAGE TEST
crash() {
	go test -count=1 -timeout 120m -v -run "$2" "$1" >"$log" 2>&1 || {
		cat "$log"
		exit 1
	}
	# A test that was skipped has killed nothing.
	if grep -E '^ *--- SKIP' -A 1 "$log"; then
		exit 1
	fi
	sed -nE 's/^ *[a-z_]+_test\.go:[0-9]+: ([a-z]+: .* points.*)/\1/p' "$log"
}

echo "crash: in this process, before and after each write and each effect"
crash ./runbook/runner '^TestCrash_'
echo "crash: kill -9 of the real binary, with a real sshd, engine and compose"
crash ./cmd/rollbackbot '^TestKilled$'
