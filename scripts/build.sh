#!/usr/bin/env bash
# Builds the product as a static binary: scripts/build.sh FILE [BUILD FLAG…]
# VERSION is what its `version` command says.
set -euo pipefail
out=$1
shift
# -trimpath leaves the builder's folders out of the binary, so that the same
# source gives the same bytes anywhere.
CGO_ENABLED=0 exec go build -trimpath -ldflags "-X main.version=${VERSION:-unversioned}" "$@" -o "$out" ./cmd/rollbackbot
