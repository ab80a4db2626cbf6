# Messages of the parts scripts; sourced, not run.

# say prints one line of progress.
say() {
	printf 'parts: %s\n' "$*"
}

# fail WHAT REMEDY ends the script with both on standard error.
fail() {
	printf '\nparts: FAILED: %s\n       remedy: %s\n\n' "$1" "$2" >&2
	exit 1
}

# logged FILE COMMAND… runs the command with its output in FILE, and shows the
# end of FILE when it fails: nobody should have to look for a log first.
logged() {
	local file=$1
	shift
	if "$@" >>"$file" 2>&1; then return 0; fi
	printf 'parts: this failed: %s\n' "$*" >&2
	tail -n 25 "$file" | sed 's/^/  | /' >&2
	return 1
}
