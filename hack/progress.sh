# How scripts speak, and how they show what takes long. Sourced; PROGRAM is who speaks.
# shellcheck shell=bash

say() { printf '%s: %s\n' "$PROGRAM" "$*"; }
die() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; exit 1; }

# tick LINE: progress for people. It overwrites itself on a terminal, and is a
# line every 5 s in a log.
tick() {
  if [ -t 1 ]; then
    printf '\r\033[K%s: %s' "$PROGRAM" "$1"
  elif ((SECONDS >= ${TICKED:=0} + 5)); then
    say "$1"; TICKED=$SECONDS
  fi
}
tick_end() { if [ -t 1 ]; then printf '\r\033[K'; fi; }

# watched LABEL LOG COMMAND...: runs COMMAND with its output in LOG, showing
# after 2 s how long it has taken; a failure prints the end of LOG. A function
# progress_detail LOG, if the caller has one, adds to the line.
watched() {
  local label=$1 log=$2 begun=$SECONDS pid; shift 2
  TICKED=$SECONDS
  "$@" >"$log" 2>&1 & pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    if ((SECONDS - begun >= 2)); then tick "$label, $((SECONDS - begun)) s$(progress_detail "$log")"; fi
  done
  tick_end
  if ! wait "$pid"; then
    tail -n 25 "$log" >&2
    die "$label failed; the lines above are the end of $log"
  fi
}
progress_detail() { :; }
