# Parts: host processes of the cluster, each with run/NAME.pid and log/NAME.log.
# shellcheck shell=bash

LOG_BYTES=$((16 << 20))

# running NAME: whether the process in the pid file lives and is that part, and
# not another that was given the same number later.
running() {
  local pid
  pid=$(cat "$STATE/run/$1.pid" 2>/dev/null) || return 1
  grep -qzxF "MESH_CLUSTER_PART=$STATE/$1" "/proc/$pid/environ" 2>/dev/null
}

# start NAME COMMAND...: makes COMMAND run as the part NAME. What runs already
# is left alone, unless the command or a file below etc/NAME changed.
start() {
  local name=$1 program fingerprint; shift
  mkdir -p "$STATE/etc/$name"
  # The same build in another cache directory is no change.
  program=$(readlink -f "$1")
  fingerprint=$( (printf '%s\n' "$@" "${program#"$CACHE"}"; find "$STATE/etc/$name" -type f -print0 | sort -z | xargs -0r cat) | sha256sum)
  if running "$name" && [ "$fingerprint" = "$(cat "$STATE/run/$name.fingerprint")" ]; then return; fi
  stop "$name"
  STARTED="${STARTED:-} $name"
  # 9 is the lock, which must not live on in what is started, nor may a lock of
  # whoever called this script.
  MESH_CLUSTER_PART="$STATE/$name" setsid "$@" </dev/null 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&- \
    > >(exec setsid "$STATE/bin/boundlog" "$STATE/log/$name.log" $LOG_BYTES >/dev/null 2>&1 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-) 2>&1 &
  local pid=$!
  echo "$pid" >"$STATE/run/$name.pid"
  # On a busy machine the child may not have become the part yet, and must not
  # be taken for one that has ended: it has no environment for a moment while
  # setsid becomes the part.
  until became "$name" "$pid" || ! kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  disown # or bash would report its end
  echo "$fingerprint" >"$STATE/run/$name.fingerprint"
}

# became NAME PID: whether PID is the part itself, and setsid no longer. The first
# running rules out what is before setsid, the last the moment after it.
became() { running "$1" && [ ! "/proc/$2/exe" -ef "$(command -v setsid)" ] && running "$1"; }

# stop NAME [SIGNAL]: ends the part, by force after 20 s.
stop() {
  local name=$1 signal=${2:-TERM} pid until=$((SECONDS + 20))
  if running "$name"; then
    pid=$(cat "$STATE/run/$name.pid")
    kill "-$signal" "$pid" 2>/dev/null || true
    while running "$name"; do
      if ((SECONDS >= until)); then kill -KILL "$pid" 2>/dev/null || true; fi
      sleep 0.1
    done
  fi
  rm -f "$STATE/run/$name.pid" "$STATE/run/$name.fingerprint"
}

# await NAME SECONDS WHAT COMMAND...: waits until COMMAND succeeds. If the part
# ends or the time is up, prints the end of its log and fails.
await() {
  local name=$1 seconds=$2 what=$3 begun=$SECONDS; shift 3
  TICKED=$SECONDS
  until "$@" >/dev/null 2>&1; do
    if ! running "$name"; then part_failed "$name" "ended before $what"; fi
    if ((SECONDS - begun >= seconds)); then part_failed "$name" "not yet $what after $seconds s"; fi
    if ((SECONDS - begun >= 2)); then tick "waiting: $what, $((SECONDS - begun)) s"; fi
    sleep 0.2
  done
  tick_end
}

part_failed() {
  tick_end
  sleep 0.2 # lets the last lines reach the log
  tail -n 25 "$STATE/log/$1.log" >&2 || true
  die "$1: $2; the lines above are the end of $STATE/log/$1.log"
}
