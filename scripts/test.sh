#!/usr/bin/env bash
# gofmt, go vet and every test. Installs nothing and starts no daemon: a test
# that lacks a real part is skipped and named at the end; with CI=true it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l $(find . -name '*.go' -not -path './.git/*' -not -path '*/node_modules/*'))
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi

# One flavour for vet and tests: what vet compiles is what the tests link.
flavour=()
if command -v "$(go env CC)" >/dev/null 2>&1; then
	export CGO_ENABLED=1
	flavour=(-race)
else
	export CGO_ENABLED=0
	echo "no C compiler here: the tests run without the race detector (remedy: make parts)"
	if [ "${CI:-}" = true ]; then
		echo "with CI=true that is a failure" >&2
		exit 1
	fi
fi

# internal/parts notes here what it skips; go test itself stays silent about
# skipped tests.
ROLLBACKBOT_PARTS_SKIPPED=$(mktemp)
export ROLLBACKBOT_PARTS_SKIPPED
trap 'rm -f "$ROLLBACKBOT_PARTS_SKIPPED"' EXIT

# As many packages at a time as there are processors: tests that count seconds
# fall where everything is slow. Twice as many tests of each, since most of them
# wait most of their time, for a window or a lease; those that are heavy take
# turns among all packages (internal/parts/turn.go).
cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
at_once=(-p "$cores" -parallel "$((2 * cores))")

go vet "${flavour[@]}" ./...

# A package may take as long as all of CI does on a slow machine; the limit is
# there so that a hang prints its goroutines.
status=0
go test "${flavour[@]}" -timeout 80m "${at_once[@]}" "$@" ./... || status=$?

# What the race detector makes slow without seeing more is built once more
# without it, in the flavour of the linters: PostgreSQL's parser, which starts
# in 2 s so, and in 14 s and 734 MB with it; and what repeats a rollback until
# every case was met, of which the run above takes some (race_test.go). It comes
# after that run, and not beside it.
if [ "${#flavour[@]}" -gt 0 ]; then
	export CGO_ENABLED=0
	go test -trimpath -timeout 20m "$@" ./internal/migration || status=$?
	go test -trimpath -timeout 20m "${at_once[@]}" -run '^(TestCrash_.*|TestSlack_EveryMethodFails|TestFacts_FitTheSignOff)$' "$@" ./runbook/runner ./cmd/rollbackbot || status=$?
fi

sort "$ROLLBACKBOT_PARTS_SKIPPED" | uniq -c | while read -r count line; do
	printf 'skipped %s test(s): %s\n' "$count" "$line"
done
exit "$status"
