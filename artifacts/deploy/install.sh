#!/usr/bin/env bash
# install.sh OVERLAY: installs mesh-apiserver, as a kustomization over this folder
# says, in the cluster of KUBECONFIG, and waits until its API is served. Run again
# it updates: IMAGE_ID, if set, says what the image is, so that a rebuilt image
# under the same name is rolled out.
set -euo pipefail
overlay=${1:-}
[ -n "$overlay" ] || { echo "install: name the kustomization that says where the images are, such as hack/cluster/deploy" >&2; exit 2; }

fail() {
  echo "install: $1; the last lines of its log:" >&2
  kubectl -n mesh-system describe pod mesh-apiserver-0 2>/dev/null | tail -n 8 >&2 || true
  kubectl -n mesh-system logs mesh-apiserver-0 --tail=15 >&2 || true
  exit 1
}

# manifests: with what the image is in the pod's template from the start, so that
# the first pod is the last.
manifests() {
  local edit=''
  if [ -n "${IMAGE_ID:-}" ]; then
    edit='/^  template:$/,/^    spec:$/ s|^    metadata:$|&\n      annotations: {mesh.openservicemesh.io/image-id: "'$IMAGE_ID'"}|'
  fi
  kubectl kustomize "$overlay" | sed "$edit"
}

ready_before=$(kubectl -n mesh-system get pod mesh-apiserver-0 --ignore-not-found -o jsonpath='{.status.containerStatuses[0].ready}')
manifests | kubectl apply --server-side --force-conflicts --field-manager=mesh-install -f - >/dev/null
# A StatefulSet does not replace a pod that never became ready (kubernetes/kubernetes#67250).
if [ "$ready_before" = false ]; then
  kubectl -n mesh-system delete pod mesh-apiserver-0 --wait=false >/dev/null
fi
kubectl -n mesh-system rollout status statefulset/mesh-apiserver --timeout=180s || fail "mesh-apiserver did not become ready within 180 s"
kubectl wait --for=condition=Available apiservice/v1alpha1.mesh.openservicemesh.io --timeout=180s || fail "its API did not become available within 180 s"

# The pod is Ready all the same, so that policies can be applied again.
database=$(kubectl get --raw "/api/v1/namespaces/mesh-system/pods/https:mesh-apiserver-0:8443/proxy/readyz/mesh-database" 2>&1) || {
  echo "install: the server runs and tells proxies nothing new: $database" >&2
  exit 1
}
