#!/usr/bin/env bash
<<<<<<< HEAD
# Builds the product's images into _output/images, and puts them into the local
# cluster if one is up.
=======
# images.sh: builds the product's images into _output/images, and puts
# them into the local cluster if one is up.
>>>>>>> integration
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "images: compiling mesh-apiserver and bookstore"
mkdir -p _output/bin
<<<<<<< HEAD
# The toolchain writes the commit into the binary. component-base's own version
# is not ours to stamp: Kubernetes's feature gates go by it.
CGO_ENABLED=0 go build -trimpath -buildvcs=auto -ldflags "-s -w" \
  -o _output/bin/ ./apiserver/cmd/mesh-apiserver ./artifacts/bookstore/cmd/bookstore
=======
CGO_ENABLED=0 go build -buildvcs=auto -trimpath -ldflags "-s -w" -o _output/bin/ \
  ./apiserver/cmd/mesh-apiserver ./artifacts/bookstore/cmd/bookstore
>>>>>>> integration
envoy=$(hack/images/envoy.sh)
go -C hack/images run . --out "$PWD/_output/images" --bin "$PWD/_output/bin" --envoy "$envoy" mesh-apiserver bookstore envoy

if hack/cluster/env.sh >/dev/null 2>&1; then
  hack/cluster/import-image.sh _output/images/{mesh-apiserver,bookstore,envoy}.tar
fi
