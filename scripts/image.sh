#!/usr/bin/env bash
# Builds the Dockerfile's last stage from a binary built on this machine:
# scripts/image.sh TAG
# For machines that can pull no base image. Everybody else: make image.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

scripts/rootfs.sh "$work/out"
# The name under which the last stage looks for the build stage. Without that
# stage in the file, the engine takes an image of the same name.
stage=$(sed -n 's/^FROM .* AS \(.*\)$/\1/p' Dockerfile)
tar -C "$work" -c out | docker import - "$stage:latest" >/dev/null
mkdir "$work/empty"
sed -n '/^FROM scratch$/,$p' Dockerfile |
	DOCKER_BUILDKIT=0 docker build -q -t "$tag" -f - "$work/empty"
docker image rm "$stage:latest" >/dev/null
