# rollbackbot's guard: the only lines through which a rollback changes anything on a host.
# Two locks live in ~/.rollbackbot/APP: "lock", a kernel lock (flock) on a file that is never unlinked or renamed, held
# by whatever is changing something right now; and "lease", a text that says whose rollback this app is in, under which
# epoch, until when by the host's uptime.
set -u
umask 077
verb=$1 app=$2
shift 2
dir=$HOME/.rollbackbot/$app
lease=$dir/lease

number() {
  case $1 in "" | *[!0-9]*) return 1 ;; esac
  [ ${#1} -le 18 ]
}
now() {
  read -r up rest </proc/uptime
  printf "%s" "${up%%.*}"
}
boot() { cat /proc/sys/kernel/random/boot_id; }

# lock takes the kernel lock, waiting for tenths of a second; 73 says that a command still runs.
lock() {
  mkdir -p "$dir" || exit 71
  exec 9>>"$dir/lock"
  tenths=$1
  until flock -n 9; do
    [ "$tenths" -gt 0 ] || refuse 73
    tenths=$((tenths - 1))
    sleep 0.1
  done
}
refuse() {
  [ -f "$lease" ] && tell
  exit "$1"
}
# tell prints the lease, and for how many seconds more it holds.
tell() {
  cat "$lease"
  read_lease || return 0
  left=$((l_until - $(now)))
  [ "$l_boot" = "$(boot)" ] && [ "$left" -gt 0 ] || left=0
  printf "%s\n" "left=$left"
}
read_lease() {
  l_rollback="" l_epoch="" l_boot="" l_until="" l_holder="" l_since="" l_reason=""
  while IFS="=" read -r key value; do
    case $key in
    rollback) l_rollback=$value ;;
    epoch) l_epoch=$value ;;
    boot) l_boot=$value ;;
    until) l_until=$value ;;
    holder) l_holder=$value ;;
    since) l_since=$value ;;
    reason) l_reason=$value ;;
    *) return 1 ;;
    esac
  done <"$lease"
  number "$l_epoch" && number "$l_until" && [ -n "$l_rollback" ] && [ -n "$l_boot" ]
}
write_lease() {
  printf "%s\n" "rollback=$l_rollback" "epoch=$l_epoch" "boot=$(boot)" "until=$(($(now) + $1))" \
    "holder=$l_holder" "since=$l_since" "reason=$l_reason" >"$lease.new" && mv -f "$lease.new" "$lease"
}
# check lets the holder of the lease go on, and nobody else: 76 it is gone, 77 it is rubbish, 75 it is another's.
check() {
  [ -f "$lease" ] || exit 76
  read_lease || refuse 77
  [ "$l_rollback" = "$1" ] && [ "$l_epoch" = "$2" ] || refuse 75
}
# free says whether nothing runs under the kernel lock. Who looks holds no descriptor of it.
free() { [ ! -f "$dir/lock" ] || flock -n "$dir/lock" true; }
# holders lists the processes that the kernel lock is held by: those that have its descriptor, and not who waits for it.
holders() {
  file=$(readlink -f "$dir/lock")
  LC_ALL=C ls -l /proc/[0-9]*/fd 2>/dev/null | while IFS= read -r line; do
    case $line in
    /proc/*/fd:)
      pid=${line#/proc/}
      pid=${pid%/fd:}
      ;;
    *" -> $file")
      fd=${line% -> *}
      grep -q "^lock:" "/proc/$pid/fdinfo/${fd##* }" 2>/dev/null && printf "%s\n" "$pid"
      ;;
    esac
  done
}
# left lists what is left of a job, each process with its parent: the one that was begun, and what is in its group; no
# zombies.
left() {
  for stat in /proc/[0-9]*/stat; do
    { read -r words <"$stat"; } 2>/dev/null || continue
    set -- "$1" "${words%% *}" ${words##*) } # its ID, and behind its name state, parent and group
    [ "${3-Z}" = Z ] || { [ "$2" != "$1" ] && [ "${5-}" != "$1" ]; } || printf "%s\n" "$2 ${4-}"
  done
}
# theirs lists what jobs have started and this user can't end: what sudo runs. It holds no lock, since sudo closes the
# descriptor: who ended those that wait for it would let the next command run beside it. What it started itself goes with it.
theirs() {
  for job in "$dir"/*/*/; do
    [ -s "$job/pid" ] && [ ! -s "$job/status" ] && [ "$(cat "$job/boot")" = "$(boot)" ] || continue
    seen=" "
    left=$(left "$(cat "$job/pid")")
    for pid in $(printf "%s\n" "$left" | cut -d " " -f 1); do
      ! kill -s 0 "$pid" 2>/dev/null && [ -d "/proc/$pid" ] && seen="$seen$pid "
    done
    printf "%s\n" "$left" | while read -r pid parent; do
      case $seen in *" $parent "*) continue ;; *" $pid "*) ;; *) continue ;; esac
      printf "%s\n" "theirs=$pid: $(tr "\0\n" "  " <"/proc/$pid/cmdline" | tail -c 1000)"
    done
  done
}
# end sends a signal to each of them, and names those that it has not named before, but for shells of this guard.
end() {
  for pid in $(holders); do
    case $named in
    *" $pid "*) [ "$1" = KILL ] || continue ;;
    *)
      named="$named$pid "
      words=$(tr "\0" " " <"/proc/$pid/cmdline" 2>/dev/null | tail -c 1000)
      case $words in *"$newline"*) ;; *) printf "%s\n" "killed=$words" ;; esac
      ;;
    esac
    kill -s "$1" "$pid" 2>/dev/null
  done
}

case $verb in
take) # ROLLBACK EPOCH FIRST TENTHS SECONDS HOLDER SINCE REASON
  lock "$4"
  if [ -f "$lease" ]; then
    read_lease || refuse 77
    if [ "$l_rollback" = "$1" ]; then
      [ "$2" -ge "$l_epoch" ] || refuse 75
    else
      [ "$l_boot" != "$(boot)" ] || [ "$(now)" -ge "$l_until" ] || refuse 74
      [ "$2" -gt "$l_epoch" ] || refuse 75
    fi
  elif [ "$3" = 0 ]; then
    exit 76
  fi
  l_rollback=$1 l_epoch=$2 l_holder=$6 l_since=$7 l_reason=$8
  write_lease "$5" || exit 71
  ;;
release) # ROLLBACK EPOCH
  lock 50
  check "$1" "$2"
  write_lease 0 || exit 71
  ;;
act) # ROLLBACK EPOCH JOB LIMIT SECONDS FOLDER COMMAND...
  job=$dir/$1/$3 limit=$4 seconds=$5 folder=$6
  # A folder that is there: this very job was started before; how it ended is read from it, it is not started twice. While
  # it runs the kernel lock is its own: who waited for that would be told that a command runs.
  if [ -d "$job" ]; then
    check "$1" "$2"
    exit 0
  fi
  lock 100
  check "$1" "$2"
  shift 6
  mkdir -p "${job%/*}" || exit 71
  mkdir "$job" 2>/dev/null || exit 0
  boot >"$job/boot"
  : >"$job/out" || exit 71
  write_lease $((limit + seconds)) || exit 71
  (
    trap "" HUP
    cd "$folder" && sh -c 'printf "%s\n" $$ >"$0" && exec timeout -k 10 "$@"' "$job/pid" "$limit" "$@"
    status=$?
    # A time limit, and who stops a job, end with KILL for its whole group: timeout ends itself so, and what sudo runs goes
    # on. It has not ended, and the lock stays taken, until that is gone.
    [ "$status" != 137 ] || while [ -n "$(left "$(cat "$job/pid")")" ]; do sleep 0.5; done
    printf "%s\n" "$status" >"$job/status.new"
    mv -f "$job/status.new" "$job/status"
    write_lease "$seconds"
  ) </dev/null >"$job/out" 2>&1 &
  ;;
stop) # ROLLBACK EPOCH JOB
  # As long as the job runs, the kernel lock is its own: nobody writes the lease that is compared here.
  check "$1" "$2"
  job=$dir/$1/$3
  # A job that was begun a moment ago writes its process only after this may be asked.
  tries=0
  until [ -s "$job/pid" ] || [ -s "$job/status" ] || [ ! -d "$job" ] || [ "$tries" -ge 20 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  [ ! -s "$job/status" ] && [ "$(cat "$job/boot")" = "$(boot)" ] && read -r pid <"$job/pid" && kill "$pid"
  exit 0
  ;;
follow) # ROLLBACK JOB OFFSET TENTHS
  job=$dir/$1/$2 offset=$3 tenths=$4
  [ -d "$job" ] || exit 72
  exec 9>>"$dir/lock"
  waited=0
  while :; do
    state=running
    if [ -s "$job/status" ]; then
      state=$(cat "$job/status")
    elif flock -n 9; then
      # Nobody holds the lock, so nothing runs. It may have ended since the look above: look once more.
      flock -u 9
      state=killed
      [ "$(cat "$job/boot" 2>/dev/null)" = "$(boot)" ] || state=restarted
      [ -s "$job/status" ] && state=$(cat "$job/status")
    fi
    size=$(wc -c <"$job/out")
    if [ "$state" != running ] || [ "$waited" -ge "$tenths" ] || { [ "$waited" -ge 3 ] && [ "$size" -gt "$offset" ]; }; then
      tail -c +$((offset + 1)) "$job/out" | head -c 65536
      printf "%s\n" "state=$state" >&2
      exit 0
    fi
    waited=$((waited + 1))
    sleep 0.1
  done
  ;;
pin) # ROLLBACK EPOCH FILE OLD-SHA256 NEW-SHA256, the new content on stdin
  lock 100
  check "$1" "$2"
  file=$3
  if [ "$4" = absent ]; then
    [ ! -e "$file" ] && [ ! -L "$file" ] || exit 78
  else
    file=$(readlink -f "$file") || exit 78
    sum=$(sha256sum <"$file") || exit 78
    [ "${sum%% *}" = "$4" ] || exit 78
  fi
  new=$file.rollbackbot
  tidy() { rm -f "$new"; }
  trap tidy EXIT
  # The copy comes first, and for owner and mode alone: the content is replaced before the name is. A file that its owner
  # may not write is replaced all the same, and stays so.
  if [ "$4" = absent ]; then
    umask 022
    : >"$new" || exit 71
  else
    owner=$(stat -c %u:%g "$file") mode=$(stat -c %a "$file")
    cp -p "$file" "$new" || exit 71
    chmod u+w "$new" || exit 80
  fi
  timeout 20 cat >"$new" || exit 79
  sum=$(sha256sum <"$new")
  [ "${sum%% *}" = "$5" ] || exit 79
  if [ "$4" != absent ]; then
    chmod "$mode" "$new"
    [ "$(stat -c %u:%g:%a "$new")" = "$owner:$mode" ] || exit 80
  fi
  mv -f "$new" "$file" || exit 71
  ;;
show)
  free || printf "%s\n" "running=yes"
  [ -f "$lease" ] || exit 76
  read_lease || refuse 77
  tell
  ;;
force) # LOCK EPOCH HOLDER SINCE REASON
  # A person takes the lease from whoever has it, and kills what runs: the former holder's epoch is an older one then.
  mkdir -p "$dir" || exit 71
  theirs=""
  free || theirs=$(theirs)
  [ -z "$theirs" ] || {
    printf "%s\n" "$theirs"
    refuse 73
  }
  tries=0 named=" " newline="
"
  until free; do
    [ "$tries" -lt 60 ] || refuse 73
    signal=TERM
    [ "$tries" -lt 30 ] || signal=KILL
    end "$signal"
    tries=$((tries + 1))
    sleep 0.2
  done
  lock 50
  l_epoch=0
  [ ! -f "$lease" ] || read_lease || l_epoch=0
  [ "$2" -gt "$l_epoch" ] || set -- "$1" $((l_epoch + 1)) "$3" "$4" "$5"
  l_rollback=$1 l_epoch=$2 l_holder=$3 l_since=$4 l_reason=$5
  write_lease 0 || exit 71
  ;;
*)
  exit 64
  ;;
esac
