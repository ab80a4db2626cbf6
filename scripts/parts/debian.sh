# Debian packages; sourced, not run.

# have COMMAND… tells whether one of the commands is there.
have() {
	local name
	for name in "$@"; do
		if command -v "$name" >/dev/null 2>&1; then return 0; fi
	done
	return 1
}

# postgresql_present tells whether the server's programs are there, which
# Debian keeps off PATH. initdb comes with the server and not with the client.
postgresql_present() {
	have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# debian_missing lists the packages whose part is not on this machine yet. It
# looks for the part and not for the package: an engine from Docker's own
# repository serves as well and must not be replaced by Debian's.
debian_missing() {
	have dockerd || echo docker.io
	have iptables || echo iptables
	have sshd || echo openssh-server
	have ssh-keygen || echo openssh-client
	have chromium || echo chromium
	have curl || echo curl
	have sudo || echo sudo
	local shell
	for shell in zsh fish ksh mksh busybox tcsh; do have "$shell" || echo "$shell"; done
	postgresql_present || echo postgresql
	have prometheus || echo prometheus
	# Without it emoji in screenshots are empty boxes.
	[ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || echo fonts-noto-color-emoji
	# The race detector links with a C compiler.
	have cc gcc clang || printf '%s\n' gcc libc6-dev
	if ! have npm && node_wanted; then echo npm; fi
}

# debian_or_by_hand TODO stops on a machine where this script cannot install
# anything, with the list of what to install by hand.
debian_or_by_hand() {
	local why=
	grep -qsx 'ID=debian' /etc/os-release || why="this is not Debian"
	[ "$(id -u)" = 0 ] || why="${why:+$why and }you are not root"
	if [ -z "$why" ]; then return; fi
	printf 'parts: %s, so nothing was installed. Install by hand and start again:\n' "$why" >&2
	sed 's/^/  - /' <<<"$1" >&2
	printf 'Compose belongs at %s, Node packages into %s.\n' "$compose_plugin" "$node_folder" >&2
	exit 1
}

# postgresql_without_cluster keeps Debian's package from making and starting a
# cluster of the machine's: the tests make servers of their own. A machine that
# has the package's settings already keeps them.
postgresql_without_cluster() {
	local settings=/etc/postgresql-common/createcluster.conf
	if [ -e "$settings" ]; then return; fi
	mkdir -p "${settings%/*}"
	echo 'create_main_cluster = false' >"$settings"
}

# prometheus_without_service keeps Debian's package from starting a Prometheus
# of the machine's, now and at the next boot, which would listen on port 9090 of
# every address: the tests start servers of their own. A machine that has the
# package already is left as it is.
prometheus_without_service() {
	mkdir -p /etc/systemd/system
	[ -e /etc/systemd/system/prometheus.service ] || ln -s /dev/null /etc/systemd/system/prometheus.service
	# For a machine without systemd. Whoever has a policy keeps it.
	[ ! -e /usr/sbin/policy-rc.d ] || return 0
	printf '#!/bin/sh\n[ "$1" != prometheus ] || exit 101\n' >/usr/sbin/policy-rc.d
	chmod 0755 /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

# debian_install installs what debian_missing lists.
debian_install() {
	local packages
	mapfile -t packages < <(debian_missing)
	if [ "${#packages[@]}" = 0 ]; then return; fi
	local began=$SECONDS log=$cache/apt.log
	: >"$log"
	say "installing ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# The package asks ucf to place its own settings there, and ucf keeps ours.
	export UCF_FORCE_CONFFOLD=1
	if ! postgresql_present; then postgresql_without_cluster; fi
	if ! have prometheus; then prometheus_without_service; fi
	logged "$log" apt-get -q -o Acquire::Retries=3 update &&
		logged "$log" apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
			install --no-install-recommends "${packages[@]}" || return 1
	say "Debian packages installed in $((SECONDS - began)) s"
}
