#!/usr/bin/env bash
# Sourced by demo.sh where EXISTING_KUBECONFIG names a cluster: looks whether the
# demo can run there before anything is changed, pushes the images to
# IMAGE_REGISTRY, and gives in "overlay" and "bookstore" the kustomizations that
# take them from there.

export KUBECONFIG=$EXISTING_KUBECONFIG
registry=${IMAGE_REGISTRY:-}

# Each of these ends with one sentence if the demo could not run.
preflight() {
  [ -n "$registry" ] || die "IMAGE_REGISTRY is missing: name a registry that you may push to and the cluster's nodes can pull from, such as registry.example.com/mesh"
  [ -r "$KUBECONFIG" ] || die "EXISTING_KUBECONFIG=$KUBECONFIG cannot be read"
  local tool
  for tool in kubectl go jq python3; do
    command -v "$tool" >/dev/null || die "$tool is missing on this machine"
  done
  kubectl version --request-timeout=10s -o json >/dev/null 2>&1 || die "the cluster of $KUBECONFIG does not answer"
  [ "$(kubectl auth can-i '*' '*' --all-namespaces 2>/dev/null)" = yes ] || die "this user is not an administrator of the cluster: the mesh installs cluster roles, webhooks and an APIService"
  preflight_identity
  preflight_nodes
  preflight_storage
}

preflight_identity() {
  kubectl get --raw /apis/certificates.k8s.io/v1 2>/dev/null | jq -e 'any(.resources[]; .name == "podcertificaterequests")' >/dev/null ||
    die "the cluster does not serve PodCertificateRequest (certificates.k8s.io/v1): Kubernetes 1.37 or later does"
  kubectl get --raw /apis/certificates.k8s.io/v1 | jq -e 'any(.resources[]; .name == "clustertrustbundles")' >/dev/null ||
    kubectl get --raw /apis/certificates.k8s.io/v1beta1 2>/dev/null | jq -e 'any(.resources[]; .name == "clustertrustbundles")' >/dev/null ||
    die "the cluster does not serve ClusterTrustBundle: Kubernetes 1.37 or later does"
}

preflight_nodes() {
  local here there pod
  here=$(go env GOARCH)
  there=$(kubectl get nodes -o json | jq -r '[.items[].status.nodeInfo.architecture] | unique | join(" ")')
  [ "$there" = "$here" ] || die "the cluster's nodes are $there, and the images that this machine builds are $here"
  pod='{"apiVersion":"v1","kind":"Pod","metadata":{"name":"mesh-preflight","namespace":"kube-system"},"spec":{"containers":[{"name":"c","image":"c","securityContext":{"capabilities":{"add":["NET_ADMIN"]}}}]}}'
  kubectl apply --dry-run=server -f - <<<"$pod" >/dev/null || die "the cluster admits no pod with NET_ADMIN, which redirects the traffic of the mesh's pods"
}

preflight_storage() {
  local claim
  claim=$(kubectl -n mesh-system get pvc data-mesh-apiserver-0 --ignore-not-found -o jsonpath='{.status.phase}')
  [ "$claim" = Bound ] && return
  kubectl get storageclasses -o json | jq -e 'any(.items[]; .metadata.annotations["storageclass.kubernetes.io/is-default-class"] == "true")' >/dev/null ||
    die "the cluster has no default StorageClass, which the mesh's 2 GiB volume is taken from"
}

push() {
  local envoy
  envoy=$(hack/images/envoy.sh)
  mkdir -p _output/bin
  watched "compiling mesh-apiserver and the bookstore" _output/images.log \
    env CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags "-s -w" \
    -o _output/bin/ ./apiserver/cmd/mesh-apiserver ./artifacts/bookstore/cmd/...
  watched "pushing to $registry" _output/images.log \
    go -C hack/images run . --push "$registry" --bin "$PWD/_output/bin" --envoy "$envoy" mesh-apiserver bookstore envoy
  cat _output/images.log
}

# pushed NAME: the reference by digest of an image that was pushed.
pushed() { awk -v name="/$1:" 'index($1, name) { sub(/:[^:\/]*$/, "", $1); print $1 "@" $2 }' _output/images.log; }

overlays() {
  overlay=_output/existing/deploy bookstore=_output/existing/bookstore
  mkdir -p "$overlay" "$bookstore"
  cat >"$overlay/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../../artifacts/deploy]
patches:
- patch: |
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: mesh-apiserver, namespace: mesh-system}
    spec:
      template:
        spec:
          containers:
          - name: mesh-apiserver
            image: $(pushed mesh-apiserver)
            env:
            - {name: MESH_IMAGE, value: "$(pushed mesh-apiserver)"}
            - {name: MESH_PROXY_IMAGE, value: "$(pushed envoy)"}
YAML
  cat >"$bookstore/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../../artifacts/bookstore/manifests]
images:
- name: docker.io/local/bookstore
  newName: $(pushed bookstore | cut -d@ -f1)
  digest: $(pushed bookstore | cut -d@ -f2)
YAML
}

existing_farewell() {
  cat <<'TEXT'

The mesh and the bookstore are in your cluster. To take them away:
  kubectl delete -k _output/existing/bookstore
  artifacts/deploy/uninstall.sh
TEXT
}

title "The cluster of $KUBECONFIG"
preflight
show kubectl get nodes -o wide
push
overlays
IMAGE_ID=$(pushed mesh-apiserver | sed 's/.*@sha256://' | cut -c1-16)
