# Docker Compose, built from source; sourced, not run. Debian 12 has no package
# of version 2 or later.

compose_version=v5.6.0
compose_module=github.com/docker/compose/v5
compose_plugin=/usr/local/lib/docker/cli-plugins/docker-compose
compose_cached=$cache/docker-compose-$compose_version-$(uname -m)

# shellcheck source=internal/parts/compose.sh
. "$repository/internal/parts/compose.sh"

# compose_present tells whether a Compose that the product supports answers. The
# tests ask the same, in the same words.
compose_present() {
	have docker || return 1
	local version
	version=$(docker compose version --short 2>/dev/null) || return 1
	compose_new_enough "$version" >/dev/null
}

# compose_install builds Compose, if it is not in the cache, and puts it where
# the docker command looks for plugins.
compose_install() {
	if compose_present; then return; fi
	if [ ! -x "$compose_cached" ]; then
		compose_build || return 1
	fi
	mkdir -p "$(dirname "$compose_plugin")" &&
		install -m 0755 "$compose_cached" "$compose_plugin"
}

# compose_answers ends the script where another Compose than the one that was
# installed answers still: docker takes one in the user's own folder first.
compose_answers() {
	if compose_present; then return; fi
	fail "the Docker Compose that answers is none that the tests run on: $(compose_new_enough "$(docker compose version --short 2>&1)")" \
		"remove the one in ~/.docker/cli-plugins, or bring it up to date"
}

# compose_build compiles Compose into the cache. Its go.mod has exclude lines,
# which makes `go install MODULE@VERSION` refuse, so its go.mod and go.sum
# become those of a module of our own that requires it.
compose_build() {
	local began=$SECONDS log=$cache/compose.log source work
	have go || fail "the go command is missing" "install Go from https://go.dev/dl/ and put it on PATH"
	: >"$log"
	say "building Docker Compose $compose_version (about 90 s on two cores)"
	work=$(mktemp -d)
	(
		set -e
		cd "$work"
		export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off
		source=$(go mod download -json "$compose_module@$compose_version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
		install -m 0644 "$source/go.mod" "$source/go.sum" .
		go mod edit -module compose.build -require "$compose_module@$compose_version"
		# Without -trimpath a moved module cache would compile everything again.
		go build -trimpath -ldflags "-s -w -X $compose_module/internal.Version=$compose_version" \
			-o docker-compose "$compose_module/cmd"
		mv docker-compose "$compose_cached.new"
		mv "$compose_cached.new" "$compose_cached"
	) >>"$log" 2>&1 || {
		tail -n 25 "$log" | sed 's/^/  | /' >&2
		rm -rf "$work"
		return 1
	}
	rm -rf "$work"
	say "Docker Compose built in $((SECONDS - began)) s"
}
