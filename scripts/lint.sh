#!/usr/bin/env bash
# go vet, staticcheck and, where its database answers, govulncheck. The rules
# on who may import whom are a Go test and run with the others.
set -euo pipefail
cd "$(dirname "$0")/.."

# The flavour of the product's own build, so that nothing is compiled twice.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

database=https://vuln.go.dev
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0

# answers URL tells whether a web address can be read from here.
answers() {
	if command -v curl >/dev/null 2>&1; then
		curl -fsS -m 10 -o /dev/null "$1" 2>/dev/null
	elif command -v wget >/dev/null 2>&1; then
		wget -q -T 10 -t 1 -O /dev/null "$1"
	else
		return 1
	fi
}

echo "lint: go vet"
go vet ./...
echo "lint: staticcheck"
go tool staticcheck ./...
if answers "$database/index/db.json"; then
	echo "lint: govulncheck"
	go run "$govulncheck" -db "$database" ./...
else
	echo "lint: govulncheck not run: its database at $database does not answer from here"
fi
echo "lint: clean"
