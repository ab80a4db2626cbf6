# The one question that `make parts` and the tests both ask of a Docker Compose; sourced by scripts/parts/compose.sh, and
# run by docker.go. It is in the shell's language since `make parts` may have to ask before anything else is there.

# compose_new_enough VERSION tells whether the product supports a version, as `docker compose version --short` gives it:
# 2.21 or later, as older ones print `ps --format json` in another form. Otherwise it says why not. "dev" is what a build
# calls itself that was not told its version, so that nobody knows what it can do.
compose_new_enough() {
	case ${1#v} in
	[0-9]*.[0-9]*) ;;
	*)
		echo "version \"$1\" is not understood"
		return 1
		;;
	esac
	compose_major=${1#v}
	compose_minor=${compose_major#*.}
	compose_major=${compose_major%%.*}
	compose_minor=${compose_minor%%[!0-9]*}
	case $compose_major in
	*[!0-9]*)
		echo "version \"$1\" is not understood"
		return 1
		;;
	esac
	if [ "$compose_major" -lt 2 ] || { [ "$compose_major" -eq 2 ] && [ "$compose_minor" -lt 21 ]; }; then
		echo "version $1 is older than 2.21"
		return 1
	fi
}
