# Taking a cluster away, and what a reboot left of one.
# shellcheck shell=bash

# teardown [log]: removes everything; with "log" the logs stay.
teardown() {
  # By force, since all that a part would save at its end is removed anyway. The
  # kubelet before its pods, which it would start again.
  local name
  for name in kubelet kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd; do stop "$name" KILL; done
  remove_pods
  stop containerd KILL
  remove_shims
  remove_cgroups
  remove_mounts
  stop_network
  find /var/log/containers -lname "$STATE/*" -delete 2>/dev/null || true
  remove_fixed_paths
  if [ "${1:-}" = log ]; then
    find "$STATE" -mindepth 1 -maxdepth 1 ! -name log ! -name .mesh-cluster -exec rm -rf {} +
  else
    rm -rf "$STATE"
  fi
}

# remove_pods: by containerd, so that addresses, port mappings and network
# namespaces go too. It is started for that if it had died.
remove_pods() {
  [ -d "$STATE/containerd/root" ] && [ -x "$STATE/bin/remove-pods" ] || return 0
  if ! running containerd; then (start_containerd) || return 0; fi
  "$STATE/bin/remove-pods" "$CONTAINERD_SOCKET" || say "some pods resisted; ending their processes"
}

# remove_shims: each says in its arguments which containerd it belongs to.
remove_shims() {
  local directory
  for directory in /proc/[0-9]*; do
    if [[ $(cat "$directory/comm" 2>/dev/null) == containerd-shim* ]] &&
      grep -qzxF -- "$CONTAINERD_SOCKET" "$directory/cmdline" 2>/dev/null; then
      kill -KILL "${directory#/proc/}" 2>/dev/null || true
    fi
  done
}

remove_mounts() {
  local mount
  awk -v below="$STATE/" 'index($2, below) == 1 {print $2}' /proc/self/mounts | sort -r |
    while read -r mount; do umount -l "$(printf '%b' "$mount")" || true; done
}

# FIXED_PATHS: directories that parts make wherever their state lies.
FIXED_PATHS="/var/lib/kubelet /var/log/containers /run/containerd /var/lib/cni"

# note_fixed_paths: remembers those that were not there before this cluster.
note_fixed_paths() {
  local path
  [ ! -e "$STATE/fixed-paths" ] || return 0
  for path in $FIXED_PATHS; do [ -e "$path" ] || echo "$path"; done >"$STATE/fixed-paths"
}

# remove_fixed_paths: what is empty of those, for another program may have
# begun to use one.
remove_fixed_paths() {
  local path
  [ -e "$STATE/fixed-paths" ] || return 0
  rm -f /var/lib/kubelet/device-plugins/{kubelet.sock,kubelet_internal_checkpoint}
  while read -r path; do
    [ ! -d "$path" ] || find "$path" -depth -type d -empty -delete
  done <"$STATE/fixed-paths"
}

# forget_last_boot: sockets, pid files and containerd's live state mean nothing
# after a reboot.
forget_last_boot() {
  local boot; boot=$(cat /proc/sys/kernel/random/boot_id)
  if [ "$(cat "$STATE/boot" 2>/dev/null)" != "$boot" ]; then
    rm -rf "$STATE/run" "$STATE/containerd/state" "$STATE/cni" "$STATE/sysctl.before"
    echo "$boot" >"$STATE/boot"
  fi
}
