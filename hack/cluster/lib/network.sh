# The node's address, forwarding and kube-proxy.
# shellcheck shell=bash

NODE_BRIDGE=mesh-node
POD_BRIDGE=mesh-pods

# SYSCTLS: what the cluster changes, the last four for the kubelet, which would
# change them by itself; put back by cluster-down.
SYSCTLS="net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 vm.overcommit_memory=1 vm.panic_on_oom=0 kernel.panic=10 kernel.panic_on_oops=1"

start_network() {
  local setting
  if [ ! -e "$STATE/sysctl.before" ]; then
    for setting in $SYSCTLS; do echo "${setting%%=*}=$(sysctl -n "${setting%%=*}")"; done >"$STATE/sysctl.new"
    mv "$STATE/sysctl.new" "$STATE/sysctl.before"
  fi
  for setting in $SYSCTLS; do sysctl -qw "$setting"; done
  # A bridge without ports holds the node's addresses: not every kernel has the
  # dummy device, and an address of the real network would differ by machine.
  ip link show "$NODE_BRIDGE" >/dev/null 2>&1 || ip link add "$NODE_BRIDGE" type bridge
  ip addr replace "$NODE_IP/32" dev "$NODE_BRIDGE"
  ip addr replace "$NODE_IP6/128" dev "$NODE_BRIDGE" nodad
  ip link set "$NODE_BRIDGE" up
}

stop_network() {
  local bridge family
  for bridge in "$POD_BRIDGE" "$NODE_BRIDGE"; do
    if ip link show "$bridge" >/dev/null 2>&1; then ip link del "$bridge"; fi
  done
  for family in ip ip6; do nft delete table "$family" kube-proxy 2>/dev/null || true; done
  if [ -e "$STATE/sysctl.before" ]; then sysctl -q -p "$STATE/sysctl.before"; fi
}

start_kube_proxy() {
  mkdir -p "$STATE/etc/kube-proxy"
  put "$STATE/etc/kube-proxy/config.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: $NODE_NAME
clientConnection: {kubeconfig: $PKI/kube-proxy.kubeconfig}
clusterCIDR: $POD_CIDR,$POD_CIDR6
detectLocalMode: ClusterCIDR
metricsBindAddress: 127.0.0.1:10249
healthzBindAddress: 127.0.0.1:10256
oomScoreAdj: 0
# The host's own limits of connection tracking stay as they are.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {minSyncPeriod: 0s}
YAML
  start kube-proxy "$STATE/bin/kube-proxy" --config="$STATE/etc/kube-proxy/config.yaml"
}
