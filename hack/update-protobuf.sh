#!/usr/bin/env bash
# Copyright The mesh-apiserver Authors.
# SPDX-License-Identifier: Apache-2.0

# Writes generated.proto and generated.pb.go beside the versioned types. Needs
# protoc, which it installs on Debian if it is missing and this is root.

set -o errexit -o nounset -o pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
MODULE=github.com/openservicemesh/mesh-apiserver
PACKAGES=(
    "${MODULE}/apis/mesh/v1alpha1"
)
cd "${ROOT}"

TOOLS_BIN="${TOOLS_BIN:-${ROOT}/_output/tools}"
mkdir -p "${TOOLS_BIN}"

if ! command -v protoc >/dev/null; then
    if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "protoc is missing: install the package protobuf-compiler" >&2
        exit 1
    fi
    echo "installing protobuf-compiler"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends protobuf-compiler >/dev/null
fi

go -C hack/tools build -o "${TOOLS_BIN}/" \
    k8s.io/code-generator/cmd/go-to-protobuf \
    k8s.io/code-generator/cmd/go-to-protobuf/protoc-gen-gogo \
    golang.org/x/tools/cmd/goimports

# protoc finds a file by its import path below one directory.
IMPORTS="$(mktemp -d)"
trap 'rm -rf "${IMPORTS}"' EXIT
link() { # link NAME DIRECTORY
    mkdir -p "${IMPORTS}/$(dirname "$1")"
    ln -s "$2" "${IMPORTS}/$1"
}
link "${MODULE}" "${ROOT}"
go mod download k8s.io/api k8s.io/apimachinery
for module in k8s.io/api k8s.io/apimachinery; do
    link "${module}" "$(go list -m -f '{{.Dir}}' "${module}")"
done
go -C hack/tools mod download github.com/gogo/protobuf
gogo="$(go -C hack/tools list -m -f '{{.Dir}}' github.com/gogo/protobuf)"
link github.com/gogo/protobuf "${gogo}"

# What precedes a package with "-" is read, not written.
PATH="${TOOLS_BIN}:${PATH}" go-to-protobuf \
    --go-header-file hack/boilerplate.go.txt \
    --output-dir "${IMPORTS}" \
    --proto-import "${IMPORTS}" \
    --proto-import "${gogo}/protobuf" \
    --apimachinery-packages "-k8s.io/apimachinery/pkg/util/intstr,-k8s.io/apimachinery/pkg/api/resource,-k8s.io/apimachinery/pkg/runtime/schema,-k8s.io/apimachinery/pkg/runtime,-k8s.io/apimachinery/pkg/apis/meta/v1,-k8s.io/api/core/v1" \
    --packages "$(IFS=,; echo "${PACKAGES[*]}")"
