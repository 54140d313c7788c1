# Where things are, and how they are said. Sourced by every script here.
# shellcheck shell=bash
set -euo pipefail

# A caller's KUBECONFIG never decides which cluster is meant.
unset KUBECONFIG
# Debian leaves these out of a user's PATH, and sudo or CI may keep that.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PROGRAM=${PROGRAM:-$(basename "$0")}
STATE=$(realpath -m "${MESH_CLUSTER_DIR:-/var/lib/mesh-cluster}")
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mesh-apiserver
ADMIN_KUBECONFIG=$STATE/admin.kubeconfig
CONTAINERD_SOCKET=$STATE/run/containerd.sock
PAUSE_IMAGE=docker.io/local/pause:dev

# Addresses are of the ranges set aside for benchmarks (RFC 2544, RFC 5180), so
# that nothing ever reaches a private or public address by accident.
NODE_NAME=mesh-node
NODE_IP=198.18.128.1
NODE_IP6=2001:2:0:3::1
POD_CIDR=198.18.0.0/17
POD_CIDR6=2001:2:0:1::/64
SERVICE_CIDR=198.19.0.0/16
SERVICE_CIDR6=2001:2:0:2::/112
API_IP=198.19.0.1
API_IP6=2001:2:0:2::1
DNS_IP=198.19.0.10
DNS_IP6=2001:2:0:2::a

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
# detail, if the caller has one, adds to the line.
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

# put FILE [MODE]: makes the input the content of FILE, and touches nothing if it
# is that already, since some parts watch their files and restart.
put() {
  local new; new=$(mktemp "$(dirname "$1")/.new.XXXXXX")
  cat >"$new"
  if cmp -s "$new" "$1"; then rm "$new"; else chmod "${2:-0644}" "$new"; mv "$new" "$1"; fi
}

kubectl() { "$STATE/bin/kubectl" --kubeconfig "$ADMIN_KUBECONFIG" "$@"; }
ctr() { command ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io "$@"; }

# lock: one cluster-up or cluster-down at a time. The lock is on the directory
# that holds the state, so that no file of it stays behind.
lock() {
  local parent; parent=$(dirname "$STATE")
  mkdir -p "$parent"
  exec 9<"$parent"
  flock -n 9 || die "another cluster-up or cluster-down works on $STATE; wait until it ends"
}
