#!/usr/bin/env bash
# Shrinks the pictures that docs/pictures.md and the README show from what the browser tests took.
#
#	scripts/pictures.sh FROM TO
set -euo pipefail
from=$1 to=$2
shrink=$(mktemp)
trap 'rm -f "$shrink"' EXIT
go build -o "$shrink" ./scripts/shrink
for window in desktop phone; do
	for state in form-open form-error form-filled request-top refused progress question record-top home; do
		"$shrink" "$from/$window"-[0-9][0-9]-$state.png "$to/demo-$window-$state.png"
	done
	for state in panel killed; do
		"$shrink" "$from/scenario-$window"-[0-9][0-9]-$state.png "$to/demo-$window-$state.png"
	done
done
cp "$to/demo-desktop-request-top.png" "$to/demo.png"
