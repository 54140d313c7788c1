#!/usr/bin/env bash
# Builds the product's images into _output/images, and puts them into the local
# cluster if one is up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PROGRAM=images
# shellcheck source=../progress.sh
source hack/progress.sh

envoy=$(hack/images/envoy.sh)
mkdir -p _output/bin
# The toolchain writes the commit into the binary. component-base's own version
# is not ours to stamp: Kubernetes's feature gates go by it.
watched "compiling mesh-apiserver, mesh-helper and the bookstore" _output/images.log \
  env CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags "-s -w" \
  -o _output/bin/ ./apiserver/cmd/... ./artifacts/bookstore/cmd/...
watched "packing" _output/images.log \
  go -C hack/images run . --out "$PWD/_output/images" --bin "$PWD/_output/bin" --envoy "$envoy" mesh-apiserver bookstore envoy
cat _output/images.log

if hack/cluster/env.sh >/dev/null 2>&1; then
  hack/cluster/import-image.sh _output/images/{mesh-apiserver,bookstore,envoy}.tar
fi
