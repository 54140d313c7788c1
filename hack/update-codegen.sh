#!/usr/bin/env bash
# Copyright The mesh-apiserver Authors.
# SPDX-License-Identifier: Apache-2.0

# Writes what Kubernetes' generators make from the types under apis/: deep
# copies, defaults, conversions and declarative validation beside the types;
# OpenAPI, clientset, listers, informers and apply configurations in generated/.

set -o errexit -o nounset -o pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
MODULE=github.com/openservicemesh/mesh-apiserver
cd "${ROOT}"

# kube_codegen.sh installs the generators into GOBIN.
export GOBIN="${TOOLS_BIN:-${ROOT}/_output/tools}"
mkdir -p "${GOBIN}"

go -C hack/tools mod download k8s.io/code-generator
CODEGEN="$(go -C hack/tools list -m -f '{{.Dir}}' k8s.io/code-generator)"
# shellcheck disable=SC1091 # comes from the module cache
source "${CODEGEN}/kube_codegen.sh"
# The validation of meta/v1 is generated into a package of its own, which
# kube_codegen.sh does not know: without it, the tags of Condition cannot be
# resolved. So its types are opaque to us (+k8s:opaqueType), validated in Go.
(
    mapfile -t KUBE_CODEGEN_READONLY_PKGS < <(printf '%s\n' "${KUBE_CODEGEN_READONLY_PKGS[@]}" | grep -v '/apis/meta/v1$')
    kube::codegen::gen_helpers \
        --boilerplate hack/boilerplate.go.txt \
        apis
)

kube::codegen::gen_openapi \
    --extra-pkgs k8s.io/apimachinery/pkg/util/intstr \
    --output-dir generated/openapi \
    --output-pkg "${MODULE}/generated/openapi" \
    --output-model-name-file zz_generated.model_name.go \
    --report-filename hack/api-rules.txt \
    ${UPDATE_API_RULES:+--update-report} \
    --boilerplate hack/boilerplate.go.txt \
    apis

kube::codegen::gen_client \
    --with-watch \
    --with-applyconfig \
    --prefers-protobuf \
    --output-dir generated \
    --output-pkg "${MODULE}/generated" \
    --boilerplate hack/boilerplate.go.txt \
    apis
