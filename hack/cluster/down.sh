#!/usr/bin/env bash
# Takes the local cluster away and leaves nothing behind: processes, pods,
# network namespaces, bridges, mounts, control groups, nftables, settings, files.
PROGRAM=cluster-down
for file in common part preflight network kubelet containerd teardown; do
  # shellcheck source=/dev/null
  source "$(dirname "${BASH_SOURCE[0]}")/lib/$file.sh"
done

check_root
check_state
if [ ! -e "$STATE/.mesh-cluster" ]; then
  say "no cluster at $STATE"
  exit 0
fi
lock
teardown
say "took the cluster at $STATE away"
