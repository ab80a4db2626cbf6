# Root file systems of other Debian suites; sourced, not run.

host_folder=$cache/hosts
host_mirror=${ROLLBACKBOT_HOSTS_MIRROR:-http://deb.debian.org/debian}

# host_present SUITE tells whether the suite's root file system is there, whole:
# it gets its name last.
host_present() {
	compgen -G "$host_folder/${1}_*" >/dev/null
}

# host_tools installs debootstrap.
host_tools() {
	if have debootstrap; then return; fi
	local log=$cache/hosts.log
	export DEBIAN_FRONTEND=noninteractive
	logged "$log" apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 update &&
		logged "$log" apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install --no-install-recommends debootstrap ||
		fail "debootstrap could not be installed" "see $log; try: apt-get update && apt-get install -y debootstrap"
}

# host_packages SUITE prints what a host has beside Debian's least.
host_packages() {
	local packages=docker.io,openssh-server,iptables,e2fsprogs,iproute2,procps,sudo,ca-certificates,zsh,fish,mksh,busybox
	case $1 in
	# Its docker.io has the command, too; its docker-compose is version 1, which
	# is not supported: it gets the one of `make parts`.
	bookworm) echo "$packages,ksh" ;;
	trixie) echo "$packages,ksh,docker-cli,docker-compose" ;;
	# ksh has left sid.
	*) echo "$packages,docker-cli,docker-compose" ;;
	esac
}

# host_build SUITE makes the root file system.
host_build() {
	local suite=$1 began=$SECONDS log=$cache/hosts-$1.log
	local root=$host_folder/$suite.new debs=$host_folder/debs-$suite
	say "building a host of $suite (2 to 5 minutes)"
	rm -rf --one-file-system "$root"
	mkdir -p "$debs"
	: >"$log"
	# debootstrap mounts /proc into the new root; in a mount namespace of its own
	# nothing of that is left behind, however it ends. Nobody needs the files on
	# the disk before all of them are there (dpkg(1), --force-unsafe-io).
	DPKG_FORCE=unsafe-io logged "$log" nice -n 15 unshare --mount debootstrap --variant=minbase --cache-dir="$debs" \
		--include="$(host_packages "$suite")" "$suite" "$root" "$host_mirror" ||
		fail "the root file system of $suite could not be built" "see $log; the mirror $host_mirror must be reachable"
	if [ "$suite" = bookworm ]; then
		[ -x "$compose_cached" ] || compose_build || fail "Docker Compose could not be built" "see $cache/compose.log; the Go module proxy must be reachable"
		install -D -m 0755 "$compose_cached" "$root$compose_plugin"
	fi
	# internal/hostlab's init reads it.
	if [ "$suite" = sid ]; then : >"$root/etc/rollbackbot-containerd-store"; fi
	rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,man,info}
	mv "$root" "$host_folder/${suite}_$(host_engine "$root")_$(host_compose "$root")"
	rm -rf "$debs"
	say "host of $suite built in $((SECONDS - began)) s"
}

# host_engine ROOT prints the version of a root file system's engine.
host_engine() {
	chroot "$1" dpkg-query --show --showformat '${Version}' docker.io | sed 's/[+~-].*//'
}

# host_compose ROOT prints the version of its Compose, without the package's own
# part of it.
host_compose() {
	chroot "$1" docker compose version --short | sed 's/^v//; s/[+~-].*//'
}
