# The one binary, compiled once for each content of this module.
# shellcheck shell=bash

KUBERNETES_VERSION=$(sed -n 's#^\tk8s.io/kubernetes \(v[0-9.]*\)$#\1#p' "$HERE/go.mod")
LINKS="kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl etcd coredns remove-pods resolve"
BUILD_KEY=$KUBERNETES_VERSION-$(cd "$HERE" && { cat go.mod go.sum ./*.go {boundlog,pause}/main.go lib/build.sh; uname -m; } | sha256sum | cut -c 1-12)
BUILT=$CACHE/cluster/$BUILD_KEY

built() { [ -e "$BUILT/cluster" ]; }

build() {
  built && return
  mkdir -p "$CACHE/cluster"
  BUILDING=$(mktemp -d "$CACHE/cluster/.building.XXXXXX")
  say "building Kubernetes $KUBERNETES_VERSION: minutes on the first run, kept in $CACHE afterwards"
  watched "downloading Go modules" "$BUILDING/log" go -C "$HERE" mod download
  watched "counting packages" "$BUILDING/log" env CGO_ENABLED=0 go -C "$HERE" list -deps ./...
  PACKAGES_TOTAL=$(grep -c . "$BUILDING/log")
  progress_detail() { printf ', %d of at most %d packages' "$(grep -c . "$1")" "$PACKAGES_TOTAL"; }
  watched "compiling Kubernetes" "$BUILDING/log" compile
  progress_detail() { :; }
  local link; for link in $LINKS; do ln -s cluster "$BUILDING/$link"; done
  rm -f "$BUILDING/log"
  chmod 755 "$BUILDING"
  mv -T "$BUILDING" "$BUILT"
  BUILDING=
}

compile() {
  local stamp=k8s.io/component-base/version minor=${KUBERNETES_VERSION#v*.}
  CGO_ENABLED=0 go -C "$HERE" build -v -trimpath -o "$BUILDING/" -ldflags "-s -w \
    -X $stamp.gitVersion=$KUBERNETES_VERSION -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}" ./...
}
