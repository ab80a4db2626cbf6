#!/usr/bin/env bash
# Runs every fuzz target of the repository for FUZZTIME each.
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
while IFS=: read -r file line; do
	name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	folder=$(dirname "$file")
	echo "fuzz: $folder $name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-5s}" "$folder"
	found=$((found + 1))
done < <(grep -rE --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]*\(' .)

[ "$found" -gt 0 ] || {
	echo "fuzz: no fuzz target found" >&2
	exit 1
}
echo "fuzz: $found targets found nothing"
