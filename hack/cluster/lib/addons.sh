# What runs in the cluster from the start: DNS, and a place for one volume.
# shellcheck shell=bash

start_addons() {
  mkdir -p "$STATE/volumes/mesh-apiserver-data"
  sed -e "s#@COREDNS_IMAGE@#$COREDNS_IMAGE#" -e "s#@DNS_IP@#$DNS_IP#" -e "s#@DNS_IP6@#$DNS_IP6#" \
    -e "s#@NODE_NAME@#$NODE_NAME#" -e "s#@VOLUMES@#$STATE/volumes#" "$HERE"/manifests/*.yaml |
    kubectl apply --server-side --field-manager=mesh-cluster -f - >/dev/null
  free_volume
}

# free_volume: once its claim is gone, as after the mesh was removed, the volume
# takes no other until an administrator says so; what lies on it stays.
free_volume() {
  local phase; phase=$(kubectl get persistentvolume mesh-apiserver-data -o jsonpath='{.status.phase}')
  [ "$phase" = Released ] || return 0
  kubectl patch persistentvolume mesh-apiserver-data --type=json -p '[{"op": "remove", "path": "/spec/claimRef"}]' >/dev/null
}

node_ready() { kubectl get node "$NODE_NAME" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' | grep -qx True; }

dns_resolves() { "$STATE/bin/resolve" kubernetes.default.svc.cluster.local "$DNS_IP" "$DNS_IP6"; }

await_ready() {
  await kubelet 180 "the node being Ready" node_ready
  await kube-proxy 180 "DNS resolving" dns_resolves
}
