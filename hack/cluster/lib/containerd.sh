# containerd of our own, beside the one that Debian's package may run.
# shellcheck shell=bash

start_containerd() {
  mkdir -p "$STATE/etc/containerd/cni"
  cni_config | put "$STATE/etc/containerd/cni/10-mesh-cluster.conflist"
  containerd_config | put "$STATE/etc/containerd/config.toml"
  start containerd "$(command -v containerd)" --config "$STATE/etc/containerd/config.toml"
  await containerd 120 "containerd answering" ctr version
}

# containerd_config: overlayfs cannot lie on itself, as in a container's root.
containerd_config() {
  local snapshotter=overlayfs
  if [ "$(stat -f -c %T "$STATE")" = overlayfs ]; then snapshotter=native; fi
  cat <<TOML
version = 2
root = "$STATE/containerd/root"
state = "$STATE/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = "$CONTAINERD_SOCKET"

[plugins."io.containerd.internal.v1.opt"]
  path = "$STATE/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  # Lowering a score needs CAP_SYS_RESOURCE, which a container or CI may lack.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  max_container_log_line_size = 16384

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STATE/etc/containerd/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    default_runtime_name = "runc"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
TOML
}

# cni_config: nothing is masqueraded, so pods reach pods and the node and no
# network beyond.
cni_config() {
  cat <<JSON
{
  "cniVersion": "0.4.0",
  "name": "mesh-cluster",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "$POD_BRIDGE",
      "isGateway": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "dataDir": "$STATE/cni",
        "ranges": [[{"subnet": "$POD_CIDR"}], [{"subnet": "$POD_CIDR6"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
}
