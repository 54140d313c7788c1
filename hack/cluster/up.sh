#!/usr/bin/env bash
# Brings up a real single-node Kubernetes on this machine, or repairs the one
# that is there, and prints its kubeconfig. Logs are in $STATE/log, one a part.
#   MESH_CLUSTER_DIR  where its state lies (default /var/lib/mesh-cluster)
PROGRAM=cluster-up
for file in common part preflight packages build pki etcd control-plane containerd network kubelet images addons teardown; do
  # shellcheck source=/dev/null
  source "$(dirname "${BASH_SOURCE[0]}")/lib/$file.sh"
done

# A first start that fails is taken away again, but for its logs.
on_exit() {
  local status=$?
  rm -rf "${BUILDING:-}"
  if ((status != 0)) && [ -n "${FRESH:-}" ]; then
    teardown log
    say "took the unfinished cluster away; its logs are in $STATE/log" >&2
  fi
}
trap on_exit EXIT
trap 'exit 130' INT TERM

check_root
check_state
check_tools
check_ipv6
check_disk
install_packages
check_ports
lock
build

[ -d "$STATE/etcd" ] || FRESH=yes
mkdir -p "$STATE"/{etc,log}
touch "$STATE/.mesh-cluster"
note_fixed_paths
forget_last_boot
mkdir -p "$STATE/run"
ln -sfn "$BUILT" "$STATE/bin"
mkdir -p "$STATE/path"
ln -sfn "$BUILT/kubectl" "$STATE/path/kubectl"

start_network
make_pki
start_etcd
start_apiserver
start_controllers
start_containerd
import_own_images
start_kubelet
start_kube_proxy
start_addons
await_ready
await_controllers

if [ -n "${STARTED:-}" ]; then say "started:$STARTED"; else say "everything runs already"; fi
say "Kubernetes $KUBERNETES_VERSION is ready; use it in a shell by: eval \"\$(make -s env)\""
echo "$ADMIN_KUBECONFIG"
