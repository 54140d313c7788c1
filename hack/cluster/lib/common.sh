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

# shellcheck source=../../progress.sh
source "$HERE/../progress.sh"

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
