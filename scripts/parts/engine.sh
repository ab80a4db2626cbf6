# The Docker engine; sourced, not run.

engine_answers() {
	have docker && timeout 10 docker info >/dev/null 2>&1
}

# engine_start starts dockerd in the background unless an engine answers. It
# asks first because a second dockerd beside a running one breaks the network
# of the first.
engine_start() {
	if engine_answers; then return; fi
	local log=$cache/dockerd.log
	if [ -d /run/systemd/system ]; then
		systemctl start docker || true
	elif ! pgrep -x dockerd >/dev/null; then
		say "starting dockerd"
		setsid -f dockerd >"$log" 2>&1 </dev/null
	fi
	local deadline=$((SECONDS + 60))
	until engine_answers; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			[ ! -e "$log" ] || tail -n 15 "$log" | sed 's/^/  | /' >&2
			fail "the Docker engine does not answer" "see $log, or journalctl -u docker; try: docker info"
		fi
		sleep 0.5
	done
}
