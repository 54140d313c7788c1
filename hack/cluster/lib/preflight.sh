# What must be true before anything is touched. Each refusal is one line that
# says what is wrong and what to do.
# shellcheck shell=bash

# PORTS: what each part listens on.
PORTS="
etcd 127.0.0.1 22379
etcd 127.0.0.1 22380
kube-apiserver $NODE_IP 6443
kube-controller-manager 127.0.0.1 10257
kube-scheduler 127.0.0.1 10259
kubelet $NODE_IP 10250
kubelet 127.0.0.1 10248
kube-proxy 127.0.0.1 10249
kube-proxy 127.0.0.1 10256
"

check_root() {
  [ "$(id -u)" = 0 ] || die "needs root, for network namespaces and mounts: run it with sudo or as root"
}

# check_state: STATE is removed whole by cluster-down, so it must be ours.
check_state() {
  [[ $STATE =~ ^/[A-Za-z0-9._/-]+/[A-Za-z0-9._-]+$ ]] ||
    die "MESH_CLUSTER_DIR=$STATE must be a directory below another, of letters, digits, '.', '_', '-': choose such a path"
  ((${#STATE} <= 60)) || die "MESH_CLUSTER_DIR=$STATE is longer than 60 characters, too long for sockets: choose a shorter path"
  [ ! -e "$STATE" ] || [ -e "$STATE/.mesh-cluster" ] || [ -z "$(ls -A "$STATE")" ] ||
    die "$STATE holds files that are not a cluster's: choose another directory with MESH_CLUSTER_DIR"
  if mountpoint -q "$STATE"; then die "$STATE is a mount point, which cluster-down could not remove: choose a directory below it with MESH_CLUSTER_DIR"; fi
}

check_ipv6() {
  [ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null)" = 0 ] ||
    die "IPv6 is off and the cluster is dual stack: set sysctl net.ipv6.conf.all.disable_ipv6=0"
}

# check_tools: the Go that Debian has is older than the modules; a newer one
# fetches the toolchain that they ask for, if it may.
check_tools() {
  local wanted why; wanted=$(sed -n 's/^go //p' "$HERE/go.mod")
  command -v go >/dev/null || die "Go is missing: install Go $wanted or later and put it on PATH"
  why=$(cd "$HERE" && go list -m 2>&1 >/dev/null) ||
    die "$(command -v go) does not do (${why//$'\n'/; }): install Go $wanted or later and put it on PATH"
}

# check_disk: what a first `make demo` was seen to write.
check_disk() {
  local state=3
  if [ -d "$STATE/etcd" ]; then state=1; fi
  { echo "$STATE $state"; build_needs; } | need_space
}

# build_needs: of the build cache, 4 GiB are Kubernetes's and the rest the mesh's.
build_needs() { built || printf '%s\n' "$(go env GOCACHE) 7" "$(go env GOMODCACHE) 3"; }

# need_space: reads lines of DIRECTORY GIB; what is on one file system adds up.
need_space() {
  local dir gib disk free; local -A needed=()
  while read -r dir gib; do
    while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
    disk=$(df --output=target "$dir" | tail -n 1)
    needed[$disk]=$((${needed[$disk]:-0} + gib))
  done
  for disk in "${!needed[@]}"; do
    free=$(df --output=avail -B1M "$disk" | tail -n 1 | tr -d ' ')
    ((free >= needed[$disk] * 1024)) || die "only $free MiB are free at $disk and ${needed[$disk]} GiB are needed: make room there"
  done
}

check_ports() {
  local part address port taken
  while read -r part address port; do
    if [ -z "$part" ] || running "$part"; then continue; fi
    taken=$(ss -Hltnp "sport = :$port" | awk -v a="$address:$port" -v p=":$port" '$4 == a || $4 == "0.0.0.0" p || $4 == "*" p {print $6; exit}' |
      sed -E 's/.*\(\("([^"]+)",pid=([0-9]+).*/\1 (process \2)/')
    [ -z "$taken" ] || die "port $port of $address, which is for $part, is in use by $taken: stop that program"
  done <<<"$PORTS"
}
