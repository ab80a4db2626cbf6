#!/usr/bin/env bash
# Makes the folder that the image's last stage copies: scripts/rootfs.sh FOLDER
# The Dockerfile's build stage and CI, which can pull no base image, both use
# it, so that CI's image has what a user's has.
set -euo pipefail
root=$1
certificates=/etc/ssl/certs/ca-certificates.crt
[ -s "$certificates" ] || {
	echo "rootfs: no CA certificates at $certificates; install the package ca-certificates" >&2
	exit 1
}
mkdir -p "$root/etc/ssl/certs" "$root/data" "$root/tmp"
# Read-only for everybody: the last stage runs as nobody in particular.
install -m 0444 "$certificates" "$root/$certificates"
# Time zones are inside the binary: scratch has none.
"$(dirname "$0")/build.sh" "$root/rollbackbot" -tags timetzdata
