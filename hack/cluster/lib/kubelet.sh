# The kubelet, and the control groups below which its pods live.
# shellcheck shell=bash

# One of its own for a second cluster, in namespaces of its own.
CGROUP=${MESH_CLUSTER_CGROUP:-mesh-cluster}

start_kubelet() {
  make_cgroups
  mkdir -p "$STATE/etc/kubelet"
  kubelet_config | put "$STATE/etc/kubelet/config.yaml"
  start kubelet "$STATE/bin/kubelet" --config="$STATE/etc/kubelet/config.yaml" --kubeconfig="$PKI/kubelet.kubeconfig" \
    --root-dir="$STATE/kubelet" --hostname-override="$NODE_NAME" --node-ip="$NODE_IP,$NODE_IP6"
}

kubelet_config() {
  cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
healthzBindAddress: 127.0.0.1
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet-server.crt
tlsPrivateKeyFile: $PKI/kubelet-server.key
containerRuntimeEndpoint: unix://$CONTAINERD_SOCKET
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
oomScoreAdj: 0
maxPods: 130
clusterDomain: cluster.local
clusterDNS: [$DNS_IP, "$DNS_IP6"]
# Names beyond the cluster are not resolved: nothing leaves this machine.
resolvConf: ""
podLogsDir: $STATE/pod-logs
volumePluginDir: $STATE/kubelet/volume-plugins
containerLogMaxSize: 8Mi
containerLogMaxFiles: 2
# Renewed certificates and roots reach their files in seconds, not a minute.
syncFrequency: 5s
# No registry would bring back an image that was collected.
imageGCHighThresholdPercent: 100
# Images are imported, not pulled. One of the same content that was once pulled
# by another name would else be asked for at a registry (KEP-2535).
imagePullCredentialsVerificationPolicy: NeverVerify
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
YAML
}

# make_cgroups: the kubelet wants its root group there, with its controllers.
make_cgroups() {
  local controller hierarchy
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then # version 2
    for controller in cpuset cpu io memory hugetlb pids; do
      echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
    done
  fi
  for hierarchy in $(cgroup_hierarchies); do mkdir -p "$hierarchy/$CGROUP"; done
  # Else all pods together have the processor's time of one process, on a machine
  # where tests and Kubernetes itself run beside them.
  for hierarchy in $(cgroup_hierarchies); do
    [ ! -e "$hierarchy/$CGROUP/cpu.shares" ] || echo 10240 >"$hierarchy/$CGROUP/cpu.shares"
    [ ! -e "$hierarchy/$CGROUP/cpu.weight" ] || echo 1000 >"$hierarchy/$CGROUP/cpu.weight"
  done
}

# remove_cgroups: ends what still runs in our groups, then removes them.
remove_cgroups() {
  local hierarchy until=$((SECONDS + 10))
  for hierarchy in $(cgroup_hierarchies); do
    while [ -d "$hierarchy/$CGROUP" ]; do
      find "$hierarchy/$CGROUP" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
      find "$hierarchy/$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
      if ((SECONDS >= until)); then say "could not remove the control group $hierarchy/$CGROUP"; break; fi
      [ ! -d "$hierarchy/$CGROUP" ] || sleep 0.1
    done
  done
}

cgroup_hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts; }
